"""`checkout`: from a repository's URL to its diagnosis, the first time and later, against a full clone in the same run.

The repository is that of `repository` with modules of a usual length: 50,000 commits and 20,000 files. It is served by
git's own HTTP server on loopback, so that the seconds are those of two gits and no network: over a line the megabytes
tell. Cold is the first opening and all that the diagnosis reads; tree is the working tree of a verification, laid out
after it; warm is the opening and the diagnosis again after 100 more commits.
"""

import asyncio
import base64
import os
import random
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

from agents.changes import Repository as Port
from agents.diagnosis import Diagnosis, diagnose
from agents.evidence import Answer, Bundle, seal
from agents.incident import Incident
from agents.triage import triage
from app.adapters.checkout import GitRepository, Trees
from app.clock import utc_now
from benchmarks import Result
from benchmarks.repository import COMMITS, FAILING, FILES, RANGE, WHEN, generate, path_of, text_of, trace_of
from tests.github_server import READER, GitHubServer, Grant, Repository
from tests.mirrored import mirrors_of

TOKEN = "ghp_reader"  # noqa: S105 - of the pretended GitHub
LATER = 100
GOAL_OF_BYTES = 0.5
"""What is fetched, as a share of a full clone, at most."""
WORDS = (
    "order",
    "price",
    "total",
    "item",
    "cart",
    "user",
    "token",
    "rate",
    "limit",
    "cache",
    "store",
    "event",
    "retry",
)


class Opened(NamedTuple):
    """An opening of the repository and its diagnosis."""

    open_s: float
    read_s: float
    requests: int
    diagnosis: Diagnosis


def measure() -> Result:
    """Seconds and megabytes of a mirror and a full clone; the faults say where it is no gain, or reads wrong."""
    with tempfile.TemporaryDirectory(prefix="selfheal-checkout-") as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> Result:
    origin = folder / "origin.git"
    stable, canary, culprit = await asyncio.to_thread(generate, origin, _functions)
    _git(origin, "repack", "-a", "-d", "-q")
    log = trace_of(origin, canary)
    github = GitHubServer(folder / "github")
    github.hub.grants[TOKEN] = Grant("selfheal", READER)
    github.hub.repositories["acme/shop"] = Repository("acme", "shop", origin)
    with github.running():
        began = time.perf_counter()
        await asyncio.to_thread(_clone, github.url("acme/shop"), folder / "full.git")
        clone_s = time.perf_counter() - began
        began = time.perf_counter()
        expected = await _diagnosed(GitRepository(folder / "full.git"), log, stable, canary)
        clone_read_s = time.perf_counter() - began
        clone_mb = _megabytes(folder / "full.git")
        cold = await _opened(github, folder, log, (stable, canary))
        cold_mb = _megabytes(folder / "mirrors")
        began, before = time.perf_counter(), len(github.calls)
        trees = Trees(mirrors_of(github, folder, TOKEN), folder / "trees", None)
        await trees.clear(await trees.lay_out(github.url("acme/shop"), canary, {}))
        tree_s, tree_requests = time.perf_counter() - began, len(github.calls) - before
        _commit_more(origin)
        warm = await _opened(github, folder, log, (stable, canary))
    figures = {
        "cold_s": round(cold.open_s + cold.read_s, 2),
        "cold_open_s": round(cold.open_s, 2),
        "cold_requests": cold.requests,
        "cold_mb": round(cold_mb, 1),
        "warm_s": round(warm.open_s + warm.read_s, 2),
        "warm_open_s": round(warm.open_s, 2),
        "warm_requests": warm.requests,
        "tree_s": round(tree_s, 2),
        "tree_requests": tree_requests,
        "full_clone_s": round(clone_s, 2),
        "full_clone_mb": round(clone_mb, 1),
        "share_of_bytes": round(cold_mb / clone_mb, 2),
        "commits": COMMITS,
        "files": FILES,
        "range": RANGE,
    }
    faults = [] if cold_mb < GOAL_OF_BYTES * clone_mb else [f"the mirror takes {cold_mb:.0f} of {clone_mb:.0f} MB"]
    if not expected == cold.diagnosis == warm.diagnosis:
        faults.append("a mirror without files is diagnosed differently")
    if cold.diagnosis.culprit_commit != culprit:
        faults.append(f"the culprit was not named: {cold.diagnosis.summary}")
    baselines = {
        "cold_s": round(clone_s + clone_read_s, 2),
        "warm_s": round(clone_read_s, 2),
        "cold_mb": round(clone_mb, 1),
    }
    return Result(figures, baselines, tuple(faults))


async def _opened(github: GitHubServer, folder: Path, log: str, versions: tuple[str, str]) -> Opened:
    before, began = len(github.calls), time.perf_counter()
    repository = await mirrors_of(github, folder, TOKEN).open(github.url("acme/shop"))
    opened = time.perf_counter()
    diagnosis = await _diagnosed(repository, log, *versions)
    return Opened(opened - began, time.perf_counter() - opened, len(github.calls) - before, diagnosis)


async def _diagnosed(repository: Port, log: str, stable: str, canary: str) -> Diagnosis:
    return diagnose(await triage(_bundle(log, stable, canary), repository, None))


def _bundle(log: str, stable: str, canary: str) -> Bundle:
    incident = Incident(
        cluster="prod", namespace="shop", rollout="shop", uid="u", canary_hash="c", revision="2", stable_hash="s"
    )
    answer = Answer(id="logs/canary/pod/app", kind="log", side="canary", status="ok", content=log)
    bundle = seal(incident, 1, [answer], utc_now())
    commits = {"stable": stable, "canary": canary}
    versions = {
        side: getattr(bundle.manifest, side).model_copy(update={"commit": sha, "found_by": "the benchmark"})
        for side, sha in commits.items()
    }
    return bundle.model_copy(update={"manifest": bundle.manifest.model_copy(update=versions)})


@cache
def _functions(number: int) -> str:
    """10 to 150 more lines of a module, of which no commit changes any."""
    chance = random.Random(number)  # noqa: S311 - the same repository each time
    lines = []
    for at in range(chance.randint(2, 30)):
        one, two, three = (chance.choice(WORDS) + str(chance.randint(1, 99)) for _ in range(3))
        lines += ["", "", f"def {one}_{at}({two}, {three}):"]
        lines += [f"    {two} = {three}.get({chance.choice(WORDS)!r}, {chance.randint(0, 9999)})", f"    return {two}"]
    return "\n".join(lines) + "\n"


def _commit_more(origin: Path) -> None:
    chance = random.Random(2)  # noqa: S311 - the same repository each time
    stream = ""
    for at in range(LATER):
        number = chance.randrange(FAILING + 200, FAILING + 400)
        text = text_of(number, COMMITS + at) + _functions(number)
        parent = "from refs/heads/main^0\n" if at == 0 else ""
        stream += (
            f"commit refs/heads/main\ncommitter Ana <ana@example.org> {WHEN + COMMITS + at} +0000\ndata 5\nLater\n"
        )
        stream += f"{parent}M 100644 inline {path_of(number)}\ndata {len(text)}\n{text}\n"
    _git(origin, "fast-import", "--quiet", stdin=stream.encode())


def _clone(url: str, path: Path) -> None:
    signed = base64.b64encode(f"x:{TOKEN}".encode()).decode()
    settings = ("-c", f"http.extraHeader=Authorization: Basic {signed}")
    subprocess.run(["git", *settings, "clone", "--quiet", "--mirror", url, str(path)], check=True)


def _git(path: Path, *argv: str, stdin: bytes = b"") -> None:
    subprocess.run(["git", "-C", str(path), *argv], input=stdin, check=True)


def _megabytes(folder: Path) -> float:
    sizes = ((Path(here) / name).stat().st_size for here, _, names in os.walk(folder) for name in names)
    return sum(sizes) / 1e6
