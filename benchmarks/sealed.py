"""Part of `reduce`: logs that are far too long for a bundle, from file to diagnosis, and what sealing them costs.

A needle is an exception that was logged once, with its trace, at a tenth, a third or two thirds of a log of 100 MB;
what follows from it goes on until the end. It is found if the diagnosis names the commit. Sealing is measured beside a
cut that keeps the newest lines and looks at nothing else.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from agents.evidence import ITEM_BYTES, Answer, seal
from agents.incident import Incident
from app.clock import utc_now
from benchmarks.generated_logs import Form, write
from tests.scratch import Scratch

LINES, STABLE_LINES = 650_000, 100_000
PLACES = (0.1, 0.33, 0.66)
SIZES_MB = (8, 32, 100)
ROUNDS = 3
FORMS: tuple[Form, Form] = ("plain", "json")
SOUND = """RATES = {"eur": 100, "usd": 92}


def price(order):
    return order["amount"] * RATES.get(order["currency"], 100)
"""
BROKEN = SOUND.replace('RATES.get(order["currency"], 100)', 'RATES[order["currency"]]')
CALLER = "from shop.pricing import price\n\n\ndef handle(order):\n    return {'price': price(order)}\n"
TRACE = (
    "Traceback (most recent call last):\n"
    "  File \"/app/shop/orders.py\", line 5, in handle\n    return {'price': price(order)}\n"
    '  File "/app/shop/pricing.py", line 5, in price\n    return order["amount"] * RATES[order["currency"]]\n'
    "KeyError: 'gbp'"
)
STAMP = "2026-11-24T12:30:00.000000Z"


class Diagnosed(NamedTuple):
    """Whether the culprit was named, and what that took."""

    named: bool
    seconds: float
    memory_mb: float


def needles(folder: Path) -> dict[str, Diagnosed]:
    """Every needle by its name."""
    source = Scratch(folder / "source.git")
    stable = source.commit("Start", {"shop/pricing.py": SOUND, "shop/orders.py": CALLER})
    source.commit("Describe the shop", {"README.md": "# Shop\n"})
    culprit = source.commit("Know every currency", {"shop/pricing.py": BROKEN})
    canary = source.commit("Describe it better", {"README.md": "# Shop\n\nSells tea.\n"})
    found: dict[str, Diagnosed] = {}
    for form in FORMS:
        good = write(folder / "stable.log", STABLE_LINES, form, 1).path
        bad = write(folder / "ordinary.log", LINES, form, 2, decisive=LINES // 20, share_after=0.2).path
        for place in PLACES:
            log = _with_needle(bad, folder / "canary.log", place, form)
            argv = [str(Path(sys.executable).with_name("selfheal")), "diagnose", "--canary-log", str(log)]
            argv += ["--stable-log", str(good), "--repo", str(source.path), "--stable", stable, "--canary", canary]
            found[f"{place:.0%} of {log.stat().st_size >> 20} MB, {form}"] = _diagnosed([*argv, "--json"], culprit)
    return found


def _with_needle(log: Path, target: Path, place: float, form: Form) -> Path:
    said = f"{STAMP} ERROR   [worker-1] shop.orders: cannot price the order\n{TRACE}\n"
    if form == "json":
        fields = {"ts": STAMP, "level": "error", "logger": "shop.orders", "msg": "cannot price the order"}
        said = json.dumps({**fields, "exc_info": TRACE}) + "\n"
    with log.open("rb") as read, target.open("wb") as written:
        end = int(log.stat().st_size * place)
        written.write(read.read(end))
        written.write(read.readline() + said.encode())
        while part := read.read(1 << 20):
            written.write(part)
    return target


def _diagnosed(argv: list[str], culprit: str) -> Diagnosed:
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise subprocess.CalledProcessError(process.returncode, argv)
        out.seek(0)
        answer = json.load(out)
    seconds = time.perf_counter() - began
    return Diagnosed(answer["culprit_commit"] == culprit, round(seconds, 1), round(used.ru_maxrss / 1024))


def sealing(folder: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds to seal a log by its megabytes, and the same where all but the newest lines are cut off unseen."""
    text = write(folder / "sealed.log", LINES, "plain", 3).path.read_text(encoding="utf-8")
    figures: dict[str, float] = {}
    baselines: dict[str, float] = {}
    for size in SIZES_MB:
        part = text[: text.rfind("\n", 0, size * 1024 * 1024)]
        newest = part[part.find("\n", max(0, len(part) - ITEM_BYTES)) + 1 :]
        figures[f"{size}_mb"], baselines[f"{size}_mb"] = _seconds(part), _seconds(newest)
    return figures, baselines


def _seconds(text: str) -> float:
    return round(min(_rounds(text)), 2)


def _rounds(text: str) -> Iterator[float]:
    names: dict[str, Any] = dict.fromkeys(("cluster", "namespace", "rollout", "uid", "canary_hash", "revision"), "x")
    incident = Incident(**names, stable_hash="y")
    for _ in range(ROUNDS):
        answer = Answer(id="logs/canary/p/app", kind="log", side="canary", status="ok", content=text)
        began = time.process_time()
        seal(incident, 1, [answer], utc_now())
        yield time.process_time() - began
