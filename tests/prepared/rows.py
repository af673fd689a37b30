"""A row of the table of prepared repositories: what the repository is, how its canary failed, and how it has to end.

One YAML file a row in `tests/prepared/repositories/`; the keys are those of `Prepared`. The table for people is
`tests/prepared/README.md`, which is written from the same files.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from ruamel.yaml import YAML

from agents.policy import RepositoryRule
from tests.histories import History

FOLDER = Path(__file__).parent / "repositories"
PROGRAMS = Path(__file__).parent / "programs"
TABLE = Path(__file__).parent / "README.md"
Result = Literal["failed", "passed", "not_run"]


class Source(History):
    """A history, with what a YAML file cannot hold well."""

    crlf: tuple[str, ...] = ()
    """Files whose lines end as on Windows, in every commit."""
    padded: Mapping[str, int] = {}
    """Path -> bytes of comment lines that stand at its end, in every commit."""

    @model_validator(mode="before")
    @classmethod
    def _write_out(cls, raw: Any) -> Any:
        """Put the line ends and the padding into the texts."""
        crlf, padded = frozenset(raw.get("crlf", ())), dict(raw.get("padded", {}))
        steps = [dict(step) for step in raw.get("commits", ())]
        for tree in (raw, *steps):
            name = "base" if tree is raw else "files"
            files = {path: _padded(text, padded.get(path, 0)) for path, text in tree.get(name, {}).items()}
            tree[name] = {path: _ended(text) if path in crlf else text for path, text in files.items()}
        for step in steps:
            step["edits"] = [
                {key: _ended(text) if edit["path"] in crlf and key != "path" else text for key, text in edit.items()}
                for edit in step.get("edits", ())
            ]
        return raw | {"commits": steps}


def _padded(text: str | None, size: int) -> str | None:
    line = "# A line that nobody reads, of which there are many.\n"
    return text + line * (size // len(line) + 1) if text is not None and size else text


def _ended(text: str | None) -> str | None:
    return text.replace("\n", "\r\n") if text is not None else None


class Play(BaseModel):
    """Both versions are started and asked in the sandbox, and what they print is what their pods' logs hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    setup: str | None = None
    requests: tuple[str, ...] = ()
    """`GET /path`; without any the program is only started."""
    env: Mapping[Literal["stable", "canary"], Mapping[str, str]] = {}
    folder: str | None = None
    """The folder of the repository that the image holds, if not all of it."""


class Evidence(BaseModel):
    """What was captured, where it is not only what `play` prints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    play: Play | None = None
    logs: Mapping[Literal["stable", "canary"], str] = {}
    specs: Mapping[Literal["stable", "canary"], Mapping[str, Any]] = {}
    """The pod specs of the two versions."""
    statuses: Mapping[Literal["stable", "canary"], Mapping[str, Any]] = {}
    """The statuses of a pod of each."""
    rollout: Mapping[str, Any] | None = None
    """What differs in the Rollout's status where it was no metric that failed."""
    events: tuple[Mapping[str, Any], ...] = ()
    config_maps: tuple[Mapping[str, Any], ...] = ()
    source_path: str | None = None


class PullRequest(BaseModel):
    """A person's own, open when ours would be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    branch: str
    title: str


class Ending(BaseModel):
    """How the attempt has to end. What is None is not asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Literal["proposed", "reported", "left-alone"]
    base: str = "main"
    """The branch that the pull request is made against."""
    draft: bool | None = None
    verdict: Literal["verified", "refuted", "unverified"] | None = None
    kind: Literal["replay", "start", "latency", "render", "none"] | None = None
    tests: tuple[Result, Result] | None = None
    """The repository's own, before and after."""
    on_base: Literal["verified", "refuted", "unverified", "healthy"] | None = None
    files: tuple[str, ...] = ()
    """Of the pull request; empty where there is none."""
    holds: Mapping[str, tuple[str, ...]] = {}
    """File of the pull request -> what it has to hold."""
    lacks: Mapping[str, tuple[str, ...]] = {}
    """File of the pull request -> what it must not hold."""
    modes: Mapping[str, str] = {}
    """File of the pull request -> git's mode."""
    issue: bool = False
    """Whether the analysis is an issue."""
    culprit: str | None = None
    """The commit that has to be blamed, by its id."""
    says: tuple[str, ...] = ()
    """What people have to find in the pull request, the issue or the reasons."""
    never: tuple[str, ...] = ()
    """What must not stand there."""


class Prepared(BaseModel):
    """One row."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    about: str
    """What is special about the repository, in one sentence."""
    ends: str
    """How it ends, in one sentence."""
    needs: tuple[Literal["go", "node", "npm"], ...] = ()
    """The toolchains without which it is skipped."""
    slow: bool = False
    """Run where CI is set, or by name: it takes more than a few seconds."""
    forge: Literal["local", "github"] = "local"
    program: str | None = None
    """The program of `programs/` whose files the source begins with, its folders below `source_path`."""
    source: Source | None = None
    manifests: Source | None = None
    evidence: Evidence
    policy: Mapping[str, Any] = {}
    """The rule of the server's policy for both repositories."""
    protected: tuple[str, ...] = ()
    """Branches that only a merged pull request may move."""
    pull_request: PullRequest | None = None
    expect: Ending

    @property
    def rule(self) -> RepositoryRule:
        return RepositoryRule.model_validate({"match": "*", "mode": "ready", **self.policy})


def read_rows() -> tuple[Prepared, ...]:
    """Every row, by name; `ValueError` names the file and the key that is wrong."""
    return tuple(read_row(path) for path in sorted(FOLDER.glob("*.yaml")))


def read_row(path: Path) -> Prepared:
    try:
        document = _load(path)
        program = document.get("program")
        if program is not None:
            source, files = document["source"], read_program(program)
            folder = document["evidence"].get("source_path")
            if folder is not None:
                files = {f"{folder}/{path}" if "/" in path else path: text for path, text in files.items()}
            own: dict[str, str | None] = source.get("base", {})
            source["base"] = {path: text for path, text in (files | own).items() if text is not None}
        return Prepared.model_validate({**document, "name": path.stem})
    except (ValidationError, TypeError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def read_program(name: str) -> dict[str, str]:
    """The files of a program of `programs/`, by path."""
    return dict(_load(PROGRAMS / f"{name}.yaml"))


def _load(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


HEAD = """\
# Prepared repositories

Each is made commit by commit by the tests, its canary fails, and the whole pipeline runs on it: the real checkout, the
real sandbox, a forge. How it ends is held to what `repositories/<name>.yaml` says under `expect`. This table is written
from those files: `pytest tests/prepared --update-golden`.

| repository | what is special | how it ends | outcome | verification | tests before, after |
| --- | --- | --- | --- | --- | --- |
"""


def render_table(rows: tuple[Prepared, ...]) -> str:
    return HEAD + "".join(f"| {' | '.join(_cells(row))} |\n" for row in rows)


def _cells(row: Prepared) -> list[str]:
    expect = row.expect
    outcome = "issue" if expect.issue else str(expect.outcome)
    if expect.outcome == "proposed":
        outcome = "draft" if expect.draft else "ready"
    proof = ": ".join(word for word in (expect.kind, expect.verdict) if word)
    proof += f", on base {expect.on_base}" if expect.on_base else ""
    tests = ", ".join(word.replace("_", " ") for word in expect.tests or ())
    return [row.name, row.about, row.ends, outcome, proof or "none", tests or "none"]
