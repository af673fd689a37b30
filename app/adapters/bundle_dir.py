"""Evidence on disk: a folder of bundles that serves as a cluster, and single bundles read from file.

`<root>/<cluster>/<namespace>/<rollout>/<hash>/` has the layout of DESIGN section 7; its text may be raw, since
capture redacts what it reads. Names come from requests, so every path is checked to stay below the root.
"""

import asyncio
import gzip
import io
import json
import tarfile
import zlib
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from agents.errors import Invalid
from agents.evidence import (
    ITEM_BYTES,
    Bundle,
    Kind,
    LogSource,
    LogText,
    Objects,
    Target,
    cut_of,
    from_files,
    raw_bytes,
)
from agents.logs import cut_bytes

MOST_FILE_BYTES = 64 * 1024 * 1024
MOST_BUNDLE_BYTES = 256 * 1024 * 1024
MOST_FILES = 10_000
PART_BYTES = 1024 * 1024
"""Of a long log, read at once."""


class BundleDirectory:
    """The `Cluster` port on `root`. What cannot be read is an answer with a reason, never an exception."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    async def find(self, cluster: str, namespace: str, rollout: str) -> Objects:
        return await asyncio.to_thread(self._find, (cluster, namespace, rollout))

    async def read(self, cluster: str, kind: Kind, namespace: str, name: str) -> Objects:
        return await asyncio.to_thread(self._named, kind, (cluster, namespace), name)

    async def objects(self, target: Target, kind: Kind) -> Objects:
        return await asyncio.to_thread(self._objects, target, kind)

    async def log(self, target: Target, source: LogSource) -> LogText:
        return await asyncio.to_thread(self._log, target, source)

    def _find(self, names: tuple[str, str, str]) -> Objects:
        gone = Objects(status="gone", reason=f"nothing is kept of the rollout {names[1]}/{names[2]}")
        try:
            folder = self._inside(*names)
            if folder is None:
                return gone
            versions = [one for one in folder.iterdir() if self._below(folder, one.name, "dir")]
            for version in sorted(versions, key=lambda one: one.stat().st_mtime, reverse=True):
                found = self._read_objects(version, _folder_of("rollout"))
                if found.objects:
                    return found
        except OSError as error:
            return Objects(status="failed", reason=str(error))
        return gone

    def _named(self, kind: Kind, names: tuple[str, str], name: str) -> Objects:
        try:
            folder = self._inside(*names)
            for rollout in sorted(folder.iterdir()) if folder else ():
                for version in sorted(rollout.iterdir()) if rollout.is_dir() else ():
                    thing = self._read_json(version, f"{_folder_of(kind)}/{name}.json")
                    if isinstance(thing, dict):
                        return Objects(status="ok", objects=(thing,))
        except OSError as error:
            return Objects(status="failed", reason=str(error))
        return Objects(status="gone", reason=f"nothing is kept of the {kind} {names[1]}/{name}")

    def _objects(self, target: Target, kind: Kind) -> Objects:
        try:
            folder = self._folder(target)
            if folder is None:
                return Objects(status="gone", reason="nothing is kept of this canary")
            return self._read_events(folder) if kind == "event" else self._read_objects(folder, _folder_of(kind))
        except OSError as error:
            return Objects(status="failed", reason=str(error))

    def _log(self, target: Target, source: LogSource) -> LogText:
        try:
            folder = self._folder(target)
            path = self._below(folder, f"{source.item_id}.log", "file") if folder else None
            if path is None:
                return LogText(status="gone", reason="the log is not kept")
            if path.stat().st_size > ITEM_BYTES:
                return _long_log(path)
            text = path.read_bytes().decode("utf-8", "replace")
        except OSError as error:
            return LogText(status="failed", reason=str(error))
        return LogText(status="ok" if text else "empty", text=text)

    def _folder(self, target: Target) -> Path | None:
        return self._inside(target.cluster, target.namespace, target.rollout, target.canary_hash)

    def _inside(self, *names: str) -> Path | None:
        """The folder of the names, None where one of them is no plain name or a link leads out."""
        if any(name in {"", ".", ".."} or "/" in name or "\\" in name for name in names):
            return None
        return self._below(self._root, "/".join(names), "dir")

    def _below(self, folder: Path, relative: str, kind: Literal["dir", "file"]) -> Path | None:
        """What lies at a path below `folder`, None where there is no such thing or it leads out, by name or by link."""
        try:
            path = (folder / relative).resolve()
            there = path.is_dir() if kind == "dir" else path.is_file()
        except (ValueError, OSError, RuntimeError):  # a NUL, a name too long, a ring of links
            return None
        return path if there and path.is_relative_to(folder.resolve()) else None

    def _read_objects(self, version: Path, relative: str) -> Objects:
        folder = self._below(version, relative, "dir")
        if folder is None:
            return Objects(status="empty", reason="none is kept")
        objects: list[dict[str, Any]] = []
        for path in sorted(folder.glob("*.json")):
            thing = self._read_json(version, f"{relative}/{path.name}")
            if not isinstance(thing, dict):
                return Objects(status="failed", reason=f"{path.name} is not a JSON object")
            objects.append(thing)
        objects.sort(key=_created)
        return Objects(status="ok" if objects else "empty", objects=tuple(objects))

    def _read_events(self, version: Path) -> Objects:
        if not (version / "events.json").exists():
            return Objects(status="empty", reason="none is kept")
        events = self._read_json(version, "events.json")
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            return Objects(status="failed", reason="events.json is not a JSON list of objects")
        return Objects(status="ok" if events else "empty", objects=tuple(events))

    def _read_json(self, version: Path, relative: str) -> Any:
        path = self._below(version, relative, "file")
        if path is None or path.stat().st_size > MOST_FILE_BYTES:
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            return None


def _long_log(path: Path) -> LogText:
    """A log that does not fit into a bundle, in parts: it is never in memory as a whole."""
    with path.open("rb") as file:
        short = cut_bytes(iter(partial(file.read, PART_BYTES), b""), raw_bytes(ITEM_BYTES))
    return LogText(status="truncated" if short.how else "ok", reason=short.how, text=short.text, cut=cut_of(short))


def _created(thing: dict[str, Any]) -> str:
    metadata = thing.get("metadata")
    return str(metadata.get("creationTimestamp") or "") if isinstance(metadata, dict) else ""


def _folder_of(kind: Kind) -> str:
    return "config" if kind == "configmap" else f"objects/{kind}"


def read_bundle(path: Path) -> Bundle:
    """A bundle from a directory or a .tar.gz; `Invalid` says what is wrong with it."""
    try:
        if path.is_dir():
            return from_files(_read_folder(path))
        if path.is_file():
            return from_files(_read_archive(path))
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise Invalid(f"{path} is neither a folder nor a .tar.gz that can be read: {error}") from error
    raise Invalid(f"there is no bundle at {path}")


def _read_folder(folder: Path) -> dict[str, str]:
    files: dict[str, str] = {}
    total = 0
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        total += path.stat().st_size
        _refuse_too_large(len(files), total)
        files[path.relative_to(folder).as_posix()] = path.read_bytes().decode("utf-8", "replace")
    return files


def _read_archive(path: Path) -> dict[str, str]:
    """Regular members only, and in memory: nothing of an archive is ever written to disk."""
    files: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(_unpacked(path))) as archive:
        for member in archive:
            name = PurePosixPath(member.name)
            content = archive.extractfile(member) if member.isreg() and not member.issparse() else None
            if content is None:
                continue
            if name.is_absolute() or ".." in name.parts:
                raise Invalid(f"the archive holds a path that leaves it: {member.name}")
            _refuse_too_large(len(files), 0)
            files[str(name)] = content.read().decode("utf-8", "replace")
    roots = {name.partition("/")[0] for name in files}
    if "bundle.json" not in files and len(roots) == 1:
        root = f"{roots.pop()}/"
        files = {name.removeprefix(root): text for name, text in files.items()}
    return files


def _unpacked(path: Path) -> bytes:
    with path.open("rb") as raw:
        is_packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        content = (gzip.GzipFile(fileobj=raw) if is_packed else raw).read(MOST_BUNDLE_BYTES + 1)
    _refuse_too_large(0, len(content))
    return content


def _refuse_too_large(count: int, total: int) -> None:
    if total > MOST_BUNDLE_BYTES or count >= MOST_FILES:
        raise Invalid(f"a bundle has at most {MOST_FILES} files and {MOST_BUNDLE_BYTES} bytes")
