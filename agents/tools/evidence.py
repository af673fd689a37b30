"""Tools over the sealed bundle: list, page and search its items, and compare what was deployed."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from agents.changes import ValueChange, manifest_changes, read_manifests
from agents.evidence import Item
from agents.evidence.origin import label
from agents.logs import Digest, Excerpt, compare, digest, excerpt
from agents.redaction import names_secret
from agents.tools.reply import Reply, cut, fit, listing, page, refused
from agents.tools.sources import Place, Sources

Side = Literal["any", "stable", "canary"]
ItemId = Annotated[str, Field(max_length=400, description="An item's id, as list_evidence gives it")]
FirstLine = Annotated[int, Field(ge=1, description="Line to begin with, from 1")]
Lines = Annotated[int, Field(ge=1, le=200, description="How many lines")]
BUDGETS = (200, 140, 100, 70, 50, 30, 20, 10)
"""Rows of an excerpt, until it fits on a page."""
STATE = ("/status", "/metadata/deletionTimestamp", "/metadata/creationTimestamp", "/spec/nodeName")


class EvidenceTools:
    """The tools' functions; each public method is one tool, and its docstring what the model is told of it."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._bundle = sources.bundle

    async def list_evidence(self) -> str:
        """List every captured item: logs, objects, events, configuration; and what could not be captured, with why."""
        rows = [_row(item) for item in self._bundle.manifest.items]
        return listing(rows, "bundle.json", "items", "the rest is left out").render()

    async def read_evidence(self, item: ItemId, first_line: FirstLine = 1, lines: Lines = 120) -> str:
        """Read one item page by page: a log, the events, an object or a ConfigMap. Lines are numbered for citing."""
        return self._read(item, first_line, lines).render()

    async def search_evidence(
        self,
        texts: Annotated[list[str], Field(min_length=1, max_length=10, description="Any of these, taken literally")],
        side: Side = "any",
        item: Annotated[str, Field(max_length=400, description="Only this item; empty for all")] = "",
        around: Annotated[int, Field(ge=0, le=10, description="Lines to show before and after")] = 0,
    ) -> str:
        """Find lines of logs, events and objects that hold a text. Upper and lower case are the same."""
        wanted = [text.lower() for text in texts if text.strip()]
        if not wanted:
            return refused("denied", "name a text to search for").render()
        items = [
            one
            for one in self._bundle.manifest.items
            if one.id in self._bundle.contents and side in {"any", one.side} and item in {"", one.id}
        ]
        found = await asyncio.to_thread(self._search, items, wanted, around)
        searched = f"matching lines in {len(items)} items"
        return listing(found, "matching lines", searched, "name an item, a side or a longer text to see less").render()

    async def sum_up_logs(self, side: Literal["stable", "canary"] = "canary") -> str:
        """Show what one side's logs say in short: the lines that tell most, and how often each kind of line comes."""
        items = self._bundle.logs(side)
        if not items:
            return refused("gone", f"there are no logs of the {side} version").render()
        shown = await asyncio.to_thread(self._sum_up, side)
        how = "for more: read_evidence around a line, or search_evidence"
        text = "\n".join(cut(row) for row in shown.rows)
        return Reply(status="truncated", source=f"logs of the {side}", text=text, note=f"{shown.note}; {how}").render()

    async def show_pods(self, side: Side = "any") -> str:
        """Show the state of the pods: phases, exit codes, reasons, restarts. Each line is `<item>#<JSON pointer>`."""
        hashes = {"stable": self._bundle.manifest.stable.hash, "canary": self._bundle.manifest.canary.hash}
        rows = []
        for pod in self._bundle.objects("pod"):
            if side == "any" or label(pod) == hashes[side]:
                name = f"objects/pod/{pod.get('metadata', {}).get('name')}"
                rows += [f"{name}#{at} = {value}" for at, value in flatten(pod) if at.startswith(STATE)]
        return listing(rows, "objects/pod", "values", "read one pod with read_evidence").render()

    async def compare_deployed(self) -> str:
        """Show what differs between the pod templates of the stable and the canary version as they were deployed."""
        templates: dict[str, Mapping[str, str]] = {}
        for replica_set in self._bundle.objects("replicaset"):
            template = replica_set.get("spec", {}).get("template")
            templates[str(label(replica_set))] = dict(flatten(template))
        old = templates.get(self._bundle.manifest.stable.hash)
        new = templates.get(self._bundle.manifest.canary.hash)
        if old is None or new is None:
            return refused("gone", "the ReplicaSet of one of the versions was not captured").render()
        rows = [
            f"{at}: {old.get(at, '(not there)')} -> {new.get(at, '(not there)')}"
            for at in sorted({*old, *new})
            if old.get(at) != new.get(at)
        ]
        return listing(rows, "pod templates", "differing values", "read the ReplicaSets with read_evidence").render()

    async def compare_manifests(self) -> str:
        """Show the values of the manifests in Git that differ between the revisions of the two versions."""
        place = self._sources.place("manifests")
        rows = [shown_value(change, self._sources) for change in await value_changes(place)]
        return listing(rows, "manifests", "differing values", "compare single files with compare_file").render()

    def _read(self, name: str, first: int, count: int) -> Reply:
        item = next((one for one in self._bundle.manifest.items if one.id == name), None)
        if item is None:
            return refused("gone", f"there is no item {name}; list_evidence names them")
        if name not in self._bundle.contents:
            return refused(item.status, item.reason or "it has no content")
        return page(self._bundle.contents[name].split("\n"), first, count, name, "read_evidence")

    def _sum_up(self, side: Literal["stable", "canary"]) -> Excerpt:
        """The longest excerpt that fits on a page: it is not in the order of what tells most, so none may be cut."""
        old, new = (self._digest(one) for one in ("stable", "canary"))
        of, against = (new, old) if side == "canary" else (old, new)
        differences = compare(against, of) if of.lines and against.lines else ()
        shown = (excerpt(of, differences, budget) for budget in BUDGETS)
        return next(
            (one for one in shown if len(fit([cut(row) for row in one.rows])) == len(one.rows)),
            excerpt(of, differences, 1),
        )

    def _digest(self, side: Literal["stable", "canary"]) -> Digest:
        return digest((item.id, self._bundle.contents[item.id]) for item in self._bundle.logs(side))

    def _search(self, items: Sequence[Item], wanted: Sequence[str], around: int) -> list[str]:
        rows: list[str] = []
        for item in items:
            lines = self._bundle.contents[item.id].split("\n")
            hits = [at for at, line in enumerate(lines) if any(text in line.lower() for text in wanted)]
            shown = sorted(
                {near for at in hits for near in range(max(0, at - around), min(len(lines), at + around + 1))}
            )
            rows += [f"{item.id}#L{at + 1}-{at + 1}| {lines[at]}" for at in shown]
        return rows


def _row(item: Item) -> str:
    size = f", {item.lines} lines" if item.lines else ""
    why = f" ({item.reason})" if item.reason else ""
    cut = f", {item.cut.kept} of {item.cut.of} lines kept: {item.cut.how}" if item.cut else ""
    return f"{item.id}: {item.kind}, {item.side}, {item.status}{why}{size}{cut}"


async def value_changes(place: Place) -> tuple[ValueChange, ...]:
    """The values that differ between the two revisions of the manifests."""
    if place.stable is None or place.origin is None:
        return ()
    old = await read_manifests(place.repository, place.stable, place.origin)
    new = await read_manifests(place.repository, place.canary, place.origin)
    return await asyncio.to_thread(manifest_changes, old, new)


def shown_value(change: ValueChange, sources: Sources) -> str:
    """One line about a value; that of a name which says secret is replaced, whatever it looks like."""
    named = [part.removeprefix("[name=").removesuffix("]") for part in change.pointer.split("/")]
    is_secret = change.kind == "Secret" or any(names_secret(part) for part in named)
    key = "password" if is_secret else "value"
    old, new = (_clean_value(sources, key, text) for text in (change.old, change.new))
    line = f":{change.line}" if change.line else ""
    return f"{change.file}{line} {change.kind} {change.name} {change.pointer}: {old} -> {new}"


def _clean_value(sources: Sources, key: str, text: str | None) -> str:
    return "(not there)" if text is None else str(sources.redactor.redact_json({key: text})[key])


def flatten(value: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Every scalar of parsed JSON as (JSON pointer, JSON text)."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flatten(item, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from flatten(item, f"{pointer}/{at}")
    else:
        yield pointer, json.dumps(value, ensure_ascii=False)
