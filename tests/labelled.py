"""Labelled cases: what was captured of a failed canary, the repositories behind it, and what really was the cause.

One YAML file a case below `tests/scenarios/cases/<family>/`; the keys are those of `Case`.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from ruamel.yaml import YAML

from agents.diagnosis import Category, Diagnosis, diagnose
from agents.evidence import KINDS, Answer, Bundle, Kind, Side, seal
from agents.evidence.origin import dig, label
from agents.incident import Incident
from agents.triage import Triage, triage
from app.adapters.checkout import GitRepository
from tests.histories import History, make_repository

FOLDER = Path(__file__).parent / "scenarios" / "cases"
FAMILIES = ("python", "go", "java", "javascript", "others", "states", "controls")
SOURCE_URL, MANIFESTS_URL = "https://git.example/acme/service", "https://git.example/acme/gitops"
SEALED_AT = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
STABLE_AT, CANARY_AT = "2026-11-23T10:00:10Z", "2026-11-24T11:00:05Z"
TRACKING = "argocd.argoproj.io/tracking-id"


class Expected(BaseModel):
    """The truth. `file` and `commit` None: naming any would be a false alarm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: Category | tuple[Category, ...]
    repository: Literal["source", "manifests"] = "source"
    file: str | tuple[str | None, ...] | None
    commit: str | tuple[str | None, ...] | None
    line: int | tuple[int, int] | None = None
    function: str | None = None

    @property
    def categories(self) -> tuple[Category, ...]:
        return self.category if isinstance(self.category, tuple) else (self.category,)

    @property
    def files(self) -> tuple[str | None, ...]:
        """Every right answer; None among them where naming none is right."""
        return self.file if isinstance(self.file, tuple) else (self.file,)

    @property
    def commits(self) -> tuple[str | None, ...]:
        return self.commit if isinstance(self.commit, tuple) else (self.commit,)


class Case(BaseModel):
    """One case as it is written down."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str
    name: str
    about: str
    source: History | None = None
    manifests: History | None = None
    logs: Mapping[Side, Mapping[str, str]] = {}
    """`pod/container` or `pod/container.previous` -> text, by side."""
    objects: Mapping[Kind, tuple[dict[str, Any], ...]] = {}
    notification: dict[str, Any] | None = None
    expect: Expected

    @field_validator("logs")
    @classmethod
    def _must_name_containers(cls, value: Mapping[Side, Mapping[str, str]]) -> Mapping[Side, Mapping[str, str]]:
        for name in (name for logs in value.values() for name in logs):
            if name.count("/") != 1:
                raise ValueError(f"{name!r} is not pod/container")
        return value

    @property
    def id(self) -> str:
        return f"{self.family}/{self.name}"


class Answered(NamedTuple):
    """What the product says of a case, and the names of its commits."""

    case: Case
    findings: Triage
    diagnosis: Diagnosis
    shas: Mapping[str, str]
    """id -> sha, of the repository that the truth lies in."""
    tree: tuple[str, ...]
    """The files of the source at the canary."""
    seconds: float
    """What the diagnosis took, repositories and bundle at hand."""


@cache
def read_cases() -> tuple[Case, ...]:
    """Every case; `ValueError` names the file and the key that is wrong."""
    return tuple(read_case(path) for path in sorted(FOLDER.glob("*/*.yaml")))


def read_case(path: Path) -> Case:
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        case = Case.model_validate({**document, "family": path.parent.name, "name": path.stem})
    except (ValidationError, TypeError) as error:
        raise ValueError(f"{path.parent.name}/{path.name}: {error}") from error
    history = case.source if case.expect.repository == "source" else case.manifests
    known = {None, "base", *(step.id for step in history.commits)} if history else {None}
    for commit in case.expect.commits:
        if commit not in known:
            raise ValueError(f"{path.parent.name}/{path.name}: expect.commit: there is no commit {commit!r}")
    return case


async def answer(case: Case, folder: Path) -> Answered:
    """Make the repositories below `folder`, seal what was captured, and diagnose it."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    shas: dict[str, dict[str, str]] = {"source": {}, "manifests": {}}
    repositories: dict[str, GitRepository | None] = {"source": None, "manifests": None}
    for name, history in (("source", case.source), ("manifests", case.manifests)):
        if history is not None:
            shas[name] = make_repository(history, folder / f"{name}.git")
            repositories[name] = await GitRepository.at(folder / f"{name}.git")
    bundle = bundle_of(case, shas["source"], shas["manifests"])
    began = time.perf_counter()
    findings = await triage(bundle, repositories["source"], repositories["manifests"])
    diagnosis = diagnose(findings)
    seconds = time.perf_counter() - began
    source = repositories["source"]
    tree = await source.files(shas["source"][case.source.canary]) if source and case.source else ()
    return Answered(case, findings, diagnosis, shas[case.expect.repository], tree, seconds)


def bundle_of(case: Case, source: Mapping[str, str], manifests: Mapping[str, str]) -> Bundle:
    """The sealed bundle, its items named as capture names them."""
    objects = {kind: [*case.objects.get(kind, ())] for kind in KINDS}
    rollout = objects["rollout"][0] if objects["rollout"] else {}
    incident = _incident(rollout)
    if case.manifests is not None:
        objects["rollout"] = [_tracked(rollout, incident), *objects["rollout"][1:]]
        objects["application"].append(_application(case.manifests, manifests))
    answers = [*_logs(case), *(one for kind in KINDS for one in _answers(kind, objects[kind], incident))]
    if case.notification is not None:
        content = case.notification
        answers.append(Answer(id="notification", kind="notification", side="none", status="ok", content=content))
    bundle = seal(incident, 1, answers, SEALED_AT)
    if case.source is None:
        return bundle
    known = {
        side: getattr(bundle.manifest, side).model_copy(
            update={"repo": SOURCE_URL, "commit": source[getattr(case.source, side)], "found_by": "the case"}
        )
        for side in ("stable", "canary")
    }
    return bundle.model_copy(update={"manifest": bundle.manifest.model_copy(update=known)})


def _incident(rollout: Mapping[str, Any]) -> Incident:
    metadata, status = dig(rollout, "metadata"), dig(rollout, "status")
    return Incident(
        cluster="prod",
        namespace=str(metadata.get("namespace") or "shop"),
        rollout=str(metadata.get("name") or "service"),
        uid="u-1",
        canary_hash=str(status.get("currentPodHash") or "canary"),
        stable_hash=str(status.get("stableRS") or "stable"),
        revision="2",
    )


def _tracked(rollout: Mapping[str, Any], incident: Incident) -> dict[str, Any]:
    metadata = dig(rollout, "metadata")
    tracking = {TRACKING: f"app:argoproj.io/Rollout:{incident.namespace}/{incident.rollout}"}
    named = {"name": incident.rollout, "namespace": incident.namespace}
    return {**rollout, "metadata": {**named, **metadata, "annotations": {**dig(metadata, "annotations"), **tracking}}}


def _application(history: History, shas: Mapping[str, str]) -> dict[str, Any]:
    deployed = [
        {"revision": shas[history.stable], "deployedAt": STABLE_AT},
        {"revision": shas[history.canary], "deployedAt": CANARY_AT},
    ]
    return {
        "metadata": {"name": "app", "namespace": "argocd"},
        "spec": {"source": {"repoURL": MANIFESTS_URL, "path": "deploy"}, "destination": {"name": "in-cluster"}},
        "status": {"history": deployed},
    }


def _logs(case: Case) -> list[Answer]:
    return [
        Answer(id=f"logs/{side}/{name}", kind="log", side=side, status="ok" if text else "empty", content=text or None)
        for side, logs in case.logs.items()
        for name, text in logs.items()
    ]


def _answers(kind: Kind, objects: list[dict[str, Any]], incident: Incident) -> list[Answer]:
    if kind == "event":
        return [Answer(id="events", kind="events", side="none", status="ok", content=objects)] if objects else []
    sides: dict[str | None, Side] = {incident.canary_hash: "canary", incident.stable_hash: "stable"}
    prefix = "config/" if kind == "configmap" else f"objects/{kind}/"
    return [
        Answer(
            id=f"{prefix}{dig(one, 'metadata').get('name')}",
            kind="config" if kind == "configmap" else "object",
            side=sides.get(label(one), "none"),
            status="ok",
            content=one,
        )
        for one in objects
    ]
