"""`tokens`: what a model is told first, against all that was captured; a token is four bytes of UTF-8.

The findings replace the logs: the model pages for more where it wants more. The demo's logs are short, so each
scenario is also taken with ten times its log lines, as a busier service would have them.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from agents.budget import tokens_of
from agents.diagnosis import diagnose
from agents.evidence import Bundle
from agents.incident import Incident
from agents.investigator import opening, read_sources
from agents.policy import Policy, RepositoryRule
from agents.survey import survey
from app.adapters.bundle_dir import BundleDirectory
from app.adapters.checkout import Mirrors
from app.adapters.forge_local import LocalForge
from app.capture import capture
from app.clock import utc_now
from app.demo import SCENARIOS
from app.demo.objects import Stage
from app.demo.staging import CLUSTER, stage_scenario
from benchmarks import Result

CALLS = 20
BUSIER = 10


def measure() -> Result:
    """Tokens by scenario and log size, and the median of their ratio (captured to told)."""
    with tempfile.TemporaryDirectory(prefix="selfheal-tokens-") as folder:
        figures = asyncio.run(_measure(Path(folder)))
    ratios = [figure["ratio"] for figure in figures.values()]
    return Result({**figures, "median_ratio": round(median(ratios), 1)}, {})


async def _measure(workdir: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, build in SCENARIOS.items():
        stage = await stage_scenario(build(), workdir / name, utc_now())
        for size in (1, BUSIER):
            bundle = await _captured(stage, workdir / name, size)
            told, captured = await _told(bundle, workdir / name), _captured_tokens(bundle)
            figures[f"{name}_x{size}"] = {"told": told, "captured": captured, "ratio": round(captured / told, 1)}
    return figures


async def _captured(stage: Stage, workdir: Path, size: int) -> Bundle:
    scenario = stage.scenario
    evidence = workdir / "bundles" / CLUSTER / scenario.namespace / scenario.service / stage.hashes[1]
    if size > 1:
        for log in evidence.rglob("*.log"):
            log.write_text(_longer(log.read_text(encoding="utf-8").splitlines(keepends=True), size), encoding="utf-8")
    incident = Incident(
        cluster=CLUSTER,
        namespace=scenario.namespace,
        rollout=scenario.service,
        uid=stage.uid,
        canary_hash=stage.hashes[1],
        revision="2",
        stable_hash=stage.hashes[0],
    )
    return await capture(BundleDirectory(workdir / "bundles"), incident, 1, None, utc_now)


def _longer(lines: Sequence[str], size: int) -> str:
    return "".join(line for _ in range(size) for line in lines)


async def _told(bundle: Bundle, workdir: Path) -> int:
    forge = workdir / "forge"
    policy = Policy(repositories=(RepositoryRule(match="file:*"),))
    seen = await survey(bundle, Mirrors(workdir / "mirrors", forge), LocalForge(forge), policy)
    prompt = opening(seen, diagnose(seen.findings), await read_sources(seen), CALLS)
    return tokens_of(prompt.system) + tokens_of(prompt.task)


def _captured_tokens(bundle: Bundle) -> int:
    return sum(tokens_of(text) for text in bundle.contents.values())
