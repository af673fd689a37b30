"""What else was seen while the pods were there: their states, and events. Compressed, since there can be thousands."""

import json
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from agents.evidence.origin import dig
from agents.evidence.recording import Ending, endings

MOST_STATES = 4
MOST_EVENTS = 200
"""Of one version; a crash loop repeats its events, which then count up."""


class PodHistory:
    """The newest state of a pod, and earlier ones that tell of a container's end which no later one tells of.

    A container that was killed for its memory and then died of something else tells only of the latter.
    """

    def __init__(self) -> None:
        self._states: list[tuple[frozenset[Ending], bytes]] = []
        """Oldest first."""

    @property
    def bytes(self) -> int:
        return sum(len(packed) for _, packed in self._states)

    def add(self, pod: Mapping[str, Any]) -> int:
        """The pod as it is now; by how much more is held."""
        before = self.bytes
        told = endings(pod)
        kept: list[tuple[frozenset[Ending], bytes]] = [(told, _pack(pod))]
        for earlier, packed in reversed(self._states):
            if earlier - told and len(kept) < MOST_STATES:
                kept.append((earlier, packed))
                told |= earlier
        self._states = kept[::-1]
        return self.bytes - before

    def states(self) -> tuple[dict[str, Any], ...]:
        """Newest first."""
        return tuple(_unpack(packed) for _, packed in reversed(self._states))


class EventLog:
    """The newest events of one version of a rollout, each as it was told last."""

    def __init__(self) -> None:
        self._events: OrderedDict[str, bytes] = OrderedDict()
        self.bytes = 0

    def add(self, event: Mapping[str, Any]) -> int:
        """An event, or a later word of one; by how much more is held."""
        before = self.bytes
        metadata = dig(event, "metadata")
        uid = str(metadata.get("uid") or metadata.get("name"))
        self.bytes -= len(self._events.pop(uid, b""))
        self._events[uid] = _pack(event)
        self.bytes += len(self._events[uid])
        while len(self._events) > MOST_EVENTS:
            _, oldest = self._events.popitem(last=False)
            self.bytes -= len(oldest)
        return self.bytes - before

    def clear(self) -> int:
        """Let go of everything; how much that was."""
        size, self.bytes = self.bytes, 0
        self._events.clear()
        return size

    def events(self) -> Iterable[dict[str, Any]]:
        return map(_unpack, self._events.values())


def _pack(thing: Mapping[str, Any]) -> bytes:
    return zlib.compress(json.dumps(thing, separators=(",", ":")).encode(), 1)


def _unpack(packed: bytes) -> dict[str, Any]:
    thing: dict[str, Any] = json.loads(zlib.decompress(packed))
    return thing
