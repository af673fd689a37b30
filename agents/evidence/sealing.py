"""Sealing: raw answers in, a redacted bundle of bounded size out, and its form as files."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.errors import Invalid
from agents.evidence.cluster import Cut, Side, Status
from agents.evidence.nouns import Bundle, Item, Manifest
from agents.evidence.origin import dig, version_of
from agents.incident import Incident
from agents.logs import Shortened, cut
from agents.redaction import Redactor

ITEM_BYTES = 8 * 1024 * 1024
BUNDLE_BYTES = 32 * 1024 * 1024
MOST_CUTS = 8
"""How often a log is cut shorter because it grew when it was redacted."""
LEAST_LOG_BYTES = 4096
"""Where less room than this is left, a log that does not fit becomes a gap."""
HELD = frozenset({"ok", "truncated", "empty"})
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
    cut: Cut | None = None
    """Of a log that was cut before it came here."""


def seal(incident: Incident, attempt: int, answers: Sequence[Answer], captured_at: datetime) -> Bundle:
    """Redact every answer, cut what is too large, and write the manifest. The bundle never changes afterwards."""
    redactor = Redactor()
    for answer in answers:
        if isinstance(answer.content, str):  # lines of an earlier process hold placeholders already
            redactor.reserve(answer.content)
    contents: dict[str, str] = {}
    items: list[Item] = []
    room = BUNDLE_BYTES
    for answer in _distinct(sorted(answers, key=_sealing_order)):
        text, item = _sealed(answer, redactor, min(room, ITEM_BYTES))
        items.append(item)
        if text is not None:
            contents[answer.id] = text
            room -= item.bytes
    manifest = _manifest(incident, attempt, answers, redactor, captured_at)
    return Bundle(manifest=manifest.model_copy(update={"items": tuple(items)}), contents=contents)


def _sealing_order(answer: Answer) -> tuple[bool, bool, str]:
    """The notification first, since it may hold placeholders already; logs last, since they can be cut."""
    return answer.kind == "log", answer.kind != "notification", answer.id


def _distinct(answers: Iterable[Answer]) -> Iterator[Answer]:
    """Two answers of one id are two items: the second one's gets a number."""
    seen: set[str] = set()
    for answer in answers:
        number, name = 1, answer.id
        while name in seen:
            number += 1
            name = f"{answer.id}~{number}"
        seen.add(name)
        yield answer if name == answer.id else answer.model_copy(update={"id": name})


def _sealed(answer: Answer, redactor: Redactor, limit: int) -> tuple[str | None, Item]:
    item = Item(
        id=answer.id,
        kind=answer.kind,
        side=answer.side,
        path=answer.id + EXTENSION.get(answer.kind, ".json"),
        status=answer.status,
        reason=answer.reason,
    )
    if answer.content is None:
        return None, item
    text, cut = _redacted(answer, redactor, limit)
    if text is None:
        return None, item.model_copy(update={"status": "failed", "reason": "larger than a bundle may be"})
    measures = {
        "status": "truncated" if cut else answer.status,
        "bytes": len(text.encode()),
        "lines": text.count("\n") + (not text.endswith("\n")) if text else 0,
        "cut": cut,
    }
    return text, item.model_copy(update=measures)


def _manifest(
    incident: Incident, attempt: int, answers: Sequence[Answer], redactor: Redactor, captured_at: datetime
) -> Manifest:
    def objects(kind: str) -> list[dict[str, Any]]:
        return [
            redactor.redact_json(answer.content)
            for answer in answers
            if answer.id.startswith(f"objects/{kind}/") and isinstance(answer.content, dict)
        ]

    rollouts = [one for one in objects("rollout") if dig(one, "metadata").get("name") == incident.rollout]
    rollout = rollouts[0] if rollouts else None
    strategies = dig(rollout, "spec", "strategy")
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


def _redacted(answer: Answer, redactor: Redactor, limit: int) -> tuple[str | None, Cut | None]:
    """The text without secrets and within `limit` bytes, and what was cut. Half an object would be a lie: None."""
    if isinstance(answer.content, str):
        return _redacted_log(_encodable(answer.content), answer.cut, redactor, limit)
    text = _encodable(json.dumps(redactor.redact_json(answer.content), indent=1, ensure_ascii=False))
    return (text, None) if len(text.encode()) <= limit else (None, None)


def _redacted_log(raw: str, earlier: Cut | None, redactor: Redactor, limit: int) -> tuple[str | None, Cut | None]:
    """A log is cut before it is redacted, at ends of lines, so that a huge one costs no more than a large one.

    Without its secrets it may be longer: then less of it is kept.
    """
    room = limit if fits(raw, limit) else raw_bytes(limit)
    for _ in range(MOST_CUTS):
        short = None if fits(raw, room) else cut(raw, room)
        if short is not None and limit < LEAST_LOG_BYTES:
            break
        text = redactor.redact_text(raw if short is None else short.text)
        if fits(text, limit):
            return text, earlier if short is None else cut_of(short)
        room = room * limit // len(text.encode()) * 15 // 16
    return None, None


def raw_bytes(limit: int) -> int:
    """Bytes to which a log is cut that must fit into `limit` without its secrets."""
    return limit - limit // 32


def fits(text: str, limit: int) -> bool:
    """Whether a text has at most so many bytes."""
    return len(text) * 4 <= limit or len(text.encode()) <= limit


def cut_of(short: Shortened) -> Cut | None:
    """What was cut of a log; None where it is whole."""
    return None if short.how is None else Cut(kept=short.kept, of=short.of, how=short.how)


def _encodable(text: str) -> str:
    """JSON can spell halves of characters that no file can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


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
        raise Invalid(f"bundle.json: {where + ': ' if where else ''}{first['msg']}") from error
    contents: dict[str, str] = {}
    for item in manifest.items:
        if item.id in contents:
            raise Invalid(f"bundle.json: items: {item.id} is there twice")
        if item.status not in HELD:
            continue
        if item.path in files:
            contents[item.id] = files[item.path]
            _check_shape(item, files[item.path])
        elif item.status != "empty":
            raise Invalid(f"the bundle names {item.path}, but there is no such file")
    return Bundle(manifest=manifest, contents=contents)


def _check_shape(item: Item, text: str) -> None:
    """Raises `Invalid` where an item is not what its kind says: an object, a list of them, or text."""
    if item.kind == "log":
        return
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{item.path} is not JSON") from error
    if item.kind == "events":
        if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
            raise Invalid(f"{item.path} is not a JSON list of objects")
    elif not isinstance(content, dict):
        raise Invalid(f"{item.path} is not a JSON object")
