"""The bundle's nouns, and citations of places in it."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.evidence.cluster import Cut, Kind, Side, Status, Target

LINES = re.compile(r"L(?P<first>[0-9]{1,9})-(?P<last>[0-9]{1,9})")
INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
Trust = Literal["high", "medium", "low"]
"""How far an answer can be trusted."""
SCHEMA: Literal["selfheal.bundle/v1"] = "selfheal.bundle/v1"


class Item(BaseModel):
    """One piece of evidence, or the gap where it should be."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: Literal["log", "object", "events", "metrics", "config", "notification"]
    side: Side
    path: str
    status: Status
    reason: str | None = None
    bytes: int = 0
    lines: int = 0
    cut: Cut | None = None


class Version(BaseModel):
    """One side of the comparison: which code and images ran, and how that was found out."""

    model_config = ConfigDict(frozen=True)

    hash: str
    images: tuple[str, ...] = ()
    repo: str | None = None
    commit: str | None = None
    path: str | None = None
    found_by: str | None = None
    confidence: Trust | None = None


class Manifest(BaseModel):
    """`bundle.json`."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    schema_: Literal["selfheal.bundle/v1"] = Field(default=SCHEMA, alias="schema")
    incident: str
    attempt: int
    cluster: str
    namespace: str
    rollout: str
    uid: str
    revision: str
    strategy: str | None
    stable: Version
    canary: Version
    captured_at: datetime
    items: tuple[Item, ...]


class Bundle(BaseModel):
    """A sealed bundle: the manifest and the redacted text of every item that has any, by id."""

    model_config = ConfigDict(frozen=True)

    manifest: Manifest
    contents: Mapping[str, str]

    @property
    def target(self) -> Target:
        m = self.manifest
        return Target(
            cluster=m.cluster,
            namespace=m.namespace,
            rollout=m.rollout,
            canary_hash=m.canary.hash,
            stable_hash=m.stable.hash,
            uid=m.uid,
            revision=m.revision,
        )

    def logs(self, side: Side) -> tuple[Item, ...]:
        """The log items of one side that have text."""
        return tuple(
            item
            for item in self.manifest.items
            if item.kind == "log" and item.side == side and item.id in self.contents
        )

    def objects(self, kind: Kind) -> tuple[dict[str, Any], ...]:
        """The captured objects of one kind."""
        if kind == "event":
            return tuple(json.loads(self.contents.get("events", "[]")))
        prefix = "config/" if kind == "configmap" else f"objects/{kind}/"
        return tuple(
            json.loads(self.contents[item.id])
            for item in self.manifest.items
            if item.id.startswith(prefix) and item.id in self.contents
        )

    @property
    def notification(self) -> dict[str, Any]:
        """The body that opened the attempt, empty if a person did."""
        body = json.loads(self.contents.get("notification", "{}"))
        return body if isinstance(body, dict) else {}

    def gaps(self) -> tuple[Item, ...]:
        """What should be here and is not."""
        return tuple(item for item in self.manifest.items if item.status in {"denied", "failed", "gone"})


class Citation(BaseModel):
    """A place in the bundle and the text that stands there. `ref` is `<id>#L<from>-<to>` or `<id>#<pointer>`."""

    model_config = ConfigDict(frozen=True)

    ref: str
    quote: str


def cite_lines(bundle: Bundle, item_id: str, first: int, last: int) -> Citation:
    """A citation of lines `first` to `last` (from 1, inclusive), quoted from the bundle itself."""
    lines = bundle.contents[item_id].split("\n")
    return Citation(ref=f"{item_id}#L{first}-{last}", quote="\n".join(lines[first - 1 : last]))


def holds(bundle: Bundle, citation: Citation) -> bool:
    """Whether the cited place exists and contains the quote: a claim whose citation does not is dropped."""
    item_id, _, place = citation.ref.partition("#")
    text = bundle.contents.get(item_id)
    if text is None or not citation.quote.strip():
        return False
    lines = LINES.fullmatch(place)
    if lines is not None:
        first, last = int(lines["first"]), int(lines["last"])
        held = text.split("\n")
        return 1 <= first <= last <= len(held) and citation.quote in "\n".join(held[first - 1 : last])
    if not place.startswith("/"):
        return False
    try:
        document = json.loads(text)
    except ValueError:
        return False
    found = _follow(document, place)
    if found is None:
        return False
    return citation.quote in (found if isinstance(found, str) else json.dumps(found, ensure_ascii=False))


def _follow(document: Any, pointer: str) -> Any:
    """Resolve an RFC 6901 JSON pointer; None where it leads nowhere."""
    for raw in pointer.split("/")[1:]:
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(document, Mapping) and token in document:
            document = document[token]
        elif isinstance(document, Sequence) and not isinstance(document, str) and INDEX.fullmatch(token):
            if int(token) >= len(document):
                return None
            document = document[int(token)]
        else:
            return None
    return document
