"""A row brought to life: its repositories on a forge, its canary's evidence, and the whole pipeline run on both.

The evidence of a program is real: both versions are laid out by the real checkout, started in the sandbox and asked,
and what they print is what their pods' logs hold.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.changes import Repositories
from agents.evidence import Bundle
from agents.graph import Ports, build
from agents.outcome import Outcome
from agents.policy import Policy, RepositoryRule
from agents.pull_request import Record
from agents.verification import Dependencies, Request, Sandbox, Workspace
from app.adapters.checkout import Mirrors, Trees
from app.adapters.dependencies import Indexes, Packages
from app.adapters.dependencies import Place as Inside
from app.adapters.sandbox import INSIDE, Box, Limits, bare_environment
from tests.boxes import UID, Mode
from tests.fakes import FakeJournal
from tests.prepared.capturing import VERSIONS, Cluster, Version
from tests.prepared.places import Place
from tests.prepared.rows import Play, Prepared

ATTEMPT = "attempt"
NO_INDEX = "http://127.0.0.1:9/"
"""Nobody listens there: nothing is fetched from anywhere else."""
IMAGE = "/app/"
"""Where the images have the program."""
LISTEN_SECONDS = 0.2
"""How long a program without requests is watched when its log is made."""


@dataclass(frozen=True)
class World:
    """The real checkout and the real sandbox, for the repositories of one place."""

    place: Place
    mirrors: Repositories
    workspace: Workspace
    sandbox: Sandbox
    dependencies: Dependencies

    @classmethod
    def around(cls, place: Place, folder: Path, yard: Path, mode: Mode, index: str = NO_INDEX) -> "World":
        """Repositories of `place`, tried in folders below `yard`; Python's packages come from `index`."""
        mirrors = Mirrors(folder / "mirrors", place.folder, place.remote)
        uid = UID if mode == "bubblewrap" else None
        box = Box(mode, Limits(seconds=120, memory_mb=4096, uid=uid))
        inside = Inside(path=bare_environment()["PATH"], root=INSIDE if mode == "bubblewrap" else None, uid=uid)
        packages = Packages(folder / "packages", inside, Indexes(python=index, npm=NO_INDEX, go=NO_INDEX), 10**9)
        return cls(place, mirrors, Trees(mirrors, yard / "trees", uid), box, packages)


@dataclass(frozen=True)
class Ended:
    """What came of a row."""

    outcome: Outcome
    documents: Mapping[str, Any]
    """What the journal was told: `diagnosis`, `patch`, `verification`."""
    shas: Mapping[str, Mapping[str, str]]
    """`source` and `manifests` -> id -> sha."""
    urls: Mapping[str, str]
    pulls: tuple[Record, ...]
    """Ours."""
    issues: tuple[Record, ...]
    changed: Mapping[str, bytes | None]
    """The files of our branch that differ from its base; None where one is gone."""
    modes: Mapping[str, str]
    """Their modes."""

    @property
    def text(self) -> str:
        """Everything that people read of it."""
        records = [f"# {record.title}\n\n{record.body}" for record in (*self.pulls, *self.issues)]
        return "\n\n".join([*records, *getattr(self.outcome, "reasons", ())])


async def play(row: Prepared, world: World) -> Ended:
    """Make the row's repositories, capture its canary, and heal it."""
    urls, shas = {}, {}
    for name, history in (("source", row.source), ("manifests", row.manifests)):
        if history is not None:
            urls[name], shas[name] = world.place.put("shop" if name == "source" else "gitops", history)
            world.place.protect(urls[name], row.protected)
            if row.pull_request is not None and row.pull_request.branch in shas[name]:
                world.place.open(urls[name], row.pull_request)
    versions = {
        name: {side: shas[name][getattr(history, side)] for side in VERSIONS}
        for name, history in (("source", row.source), ("manifests", row.manifests))
        if history is not None
    }
    logs = dict(row.evidence.logs)
    if row.evidence.play is not None:
        commits = versions["source"]
        logs = {one: await perform(row.evidence.play, urls["source"], commits, one, world) for one in VERSIONS}
    journal = await heal(Cluster(row.evidence, urls, versions, logs).capture(), world, row.rule)
    return _look(journal, urls, shas, world.place)


async def heal(bundle: Bundle, world: World, rule: RepositoryRule) -> FakeJournal:
    """The whole pipeline on a bundle; the journal has been told the outcome."""
    journal = FakeJournal({ATTEMPT: bundle})
    ports = Ports(
        journal=journal,
        repositories=world.mirrors,
        forge=world.place.forge,
        sandbox=world.sandbox,
        workspace=world.workspace,
        dependencies=world.dependencies,
        policy=Policy(repositories=(rule,)),
    )
    await build().ainvoke({"attempt": ATTEMPT}, context=ports)
    if journal.outcome is None:
        raise AssertionError("the graph ended without an outcome")
    return journal


async def perform(play: Play, url: str, commits: Mapping[Version, str], version: Version, world: World) -> str:
    """The log of a version's pod, which is asked for what the row says."""
    tree = await world.workspace.lay_out(url, commits[version], {})
    env = play.env.get(version, {})
    try:
        if play.setup:
            made = await world.sandbox.run(tree, tuple(shlex.split(play.setup)), env)
            if made.exit_code != 0:
                raise AssertionError(f"`{play.setup}` failed: {made.reason}\n{made.output}")
        served = await world.sandbox.serve(
            tree,
            tuple(shlex.split(play.run)),
            env,
            files={},
            requests=tuple(Request(method=one.split(" ")[0], path=one.split(" ")[1]) for one in play.requests),
            listen_seconds=0 if play.requests else LISTEN_SECONDS,
        )
    finally:
        await world.workspace.clear(tree)
    if served.status != "ok":
        raise AssertionError(f"`{play.run}` could not be run: {served.reason}")
    shipped = f"{tree}/{play.folder}" if play.folder else tree
    inside = f"/work/{play.folder}/" if play.folder else "/work/"
    return served.output.replace(f"{shipped}/", IMAGE).replace(inside, IMAGE)


def _look(journal: FakeJournal, urls: Mapping[str, str], shas: Mapping[str, Mapping[str, str]], place: Place) -> Ended:
    """What people find on the forge."""
    pulls, issues, changed, modes = [], [], {}, {}
    for url in urls.values():
        ours = [record for record in place.pulls(url) if (record.branch or "").startswith("selfheal/")]
        pulls += ours
        issues += place.issues(url)
        git = place.gits[url]
        for record in ours:
            before, after = git.listed(str(record.base)), git.listed(str(record.branch))
            for path in {*before, *after}:
                if before.get(path) != after.get(path):
                    there = path in after
                    changed[path] = git.run("cat-file", "blob", after[path][1]) if there else None
                    modes[path] = after[path][0] if there else ""
    if journal.outcome is None:
        raise AssertionError("there is no outcome")
    return Ended(journal.outcome, journal.documents, shas, urls, tuple(pulls), tuple(issues), changed, modes)
