"""Sealing: raw answers in, a redacted bundle of bounded size out, and its form as files."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.errors import Invalid
from agents.evidence.cluster import Side, Status
from agents.evidence.nouns import Bundle, Cut, Item, Manifest
from agents.evidence.origin import version_of
from agents.incident import Incident
from agents.redaction import Redactor

ITEM_BYTES = 8 * 1024 * 1024
BUNDLE_BYTES = 32 * 1024 * 1024
FIRST_ERROR_LINES = 40
"""Lines kept from the first error on, when the oldest lines of a log are cut."""
ERROR = re.compile(r"\b(?:ERROR|CRITICAL|FATAL|Traceback|panic:|[A-Z]\w+(?:Error|Exception)\b)")
EXTENSION = {"log": ".log"}


class Answer(BaseModel):
    """One raw answer of the cluster: what was asked for, and what came. `content` is text for logs, else JSON."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: Literal["log", "object", "events", "metrics", "config", "notification"]
    side: Side
    status: Status
    reason: str | None = None
    content: Any = None


def seal(incident: Incident, attempt: int, answers: Sequence[Answer], captured_at: datetime) -> Bundle:
    """Redact every answer, cut what is too large, and write the manifest. The bundle never changes afterwards."""
    redactor = Redactor()
    contents: dict[str, str] = {}
    items: list[Item] = []
    room = BUNDLE_BYTES
    for answer in sorted(answers, key=lambda answer: (answer.kind == "log", answer.id)):
        path = answer.id + EXTENSION.get(answer.kind, ".json")
        if answer.content is None:
            items.append(_gap(answer, path))
            continue
        text, cut = _bounded(_redacted(answer, redactor), min(room, ITEM_BYTES), is_log=answer.kind == "log")
        if text is None:
            gap = answer.model_copy(update={"status": "failed", "reason": "larger than a bundle may be"})
            items.append(_gap(gap, path))
            continue
        size = len(text.encode())
        room -= size
        contents[answer.id] = text
        items.append(
            Item(
                id=answer.id,
                kind=answer.kind,
                side=answer.side,
                path=path,
                status="truncated" if cut else answer.status,
                reason=answer.reason,
                bytes=size,
                lines=text.count("\n") + (not text.endswith("\n")) if text else 0,
                cut=cut,
            )
        )
    manifest = _manifest(incident, attempt, answers, redactor, captured_at)
    return Bundle(manifest=manifest.model_copy(update={"items": tuple(items)}), contents=contents)


def _manifest(
    incident: Incident, attempt: int, answers: Sequence[Answer], redactor: Redactor, captured_at: datetime
) -> Manifest:
    def objects(kind: str) -> list[dict[str, Any]]:
        return [
            redactor.redact_json(answer.content)
            for answer in answers
            if answer.id.startswith(f"objects/{kind}/") and isinstance(answer.content, dict)
        ]

    rollouts = objects("rollout")
    rollout = rollouts[0] if rollouts else None
    strategies = (rollout or {}).get("spec", {}).get("strategy") or {}
    replica_sets = objects("replicaset")
    return Manifest(
        incident=incident.key,
        attempt=attempt,
        cluster=incident.cluster,
        namespace=incident.namespace,
        rollout=incident.rollout,
        uid=incident.uid,
        revision=incident.revision,
        strategy=next((name for name in ("canary", "blueGreen") if name in strategies), None),
        stable=version_of(incident.stable_hash, replica_sets, None),
        canary=version_of(incident.canary_hash, replica_sets, rollout),
        captured_at=captured_at,
        items=(),
    )


def _gap(answer: Answer, path: str) -> Item:
    return Item(
        id=answer.id,
        kind=answer.kind,
        side=answer.side,
        path=path,
        status=answer.status,
        reason=answer.reason,
    )


def _redacted(answer: Answer, redactor: Redactor) -> str:
    if isinstance(answer.content, str):
        text = redactor.redact_text(answer.content)
    else:
        text = json.dumps(redactor.redact_json(answer.content), indent=1, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()  # JSON can spell half a surrogate pair, which nothing can store


def _bounded(text: str, limit: int, *, is_log: bool) -> tuple[str | None, Cut | None]:
    """Cut a log to `limit` bytes: newest lines and the first error stay. Half an object would be a lie: None."""
    if len(text.encode()) <= limit:
        return text, None
    if not is_log or limit < 4096:
        return None, None
    lines = text.split("\n")
    first = next((at for at, line in enumerate(lines) if ERROR.search(line)), None)
    head = lines[first : first + FIRST_ERROR_LINES] if first is not None else []
    head = [line[:2000] for line in head]
    budget = limit - sum(len(line.encode()) + 1 for line in head)
    tail: list[str] = []
    for line in reversed(lines):
        budget -= len(line.encode()) + 1
        if budget < 0:
            break
        tail.append(line)
    start = len(lines) - len(tail)
    kept = head if first is None or first + len(head) <= start else []
    result = [*kept, *reversed(tail)]
    how = "newest lines, and the first error" if kept else "newest lines"
    return "\n".join(result), Cut(kept=len(result), of=len(lines), how=how)


def to_files(bundle: Bundle) -> dict[str, str]:
    """The bundle as files by path, `bundle.json` among them."""
    files = {"bundle.json": bundle.manifest.model_dump_json(by_alias=True, indent=1)}
    for item in bundle.manifest.items:
        if item.id in bundle.contents:
            files[item.path] = bundle.contents[item.id]
    return files


def from_files(files: Mapping[str, str]) -> Bundle:
    """The bundle that `to_files` wrote; `Invalid` says what is wrong with one that it did not."""
    if "bundle.json" not in files:
        raise Invalid("this is not a bundle: bundle.json is missing")
    try:
        manifest = Manifest.model_validate_json(files["bundle.json"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Invalid(f"bundle.json: {where}: {first['msg']}") from error
    contents = {item.id: files[item.path] for item in manifest.items if item.path in files}
    for item in manifest.items:
        if item.status in {"ok", "truncated"} and item.id not in contents:
            raise Invalid(f"the bundle names {item.path}, but there is no such file")
        if item.id in contents and item.kind != "log":
            try:
                json.loads(contents[item.id])
            except ValueError as error:
                raise Invalid(f"{item.path} is not JSON") from error
    return Bundle(manifest=manifest, contents=contents)
