"""Evidence on disk: a folder of bundles that serves as a cluster, and single bundles read from file.

`<root>/<cluster>/<namespace>/<rollout>/<hash>/` has the layout of DESIGN section 7; its text may be raw, since
capture redacts what it reads. Names come from requests, so every path is checked to stay below the root.
"""

import asyncio
import json
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

from agents.errors import Invalid
from agents.evidence import Bundle, Kind, LogSource, LogText, Objects, Target, from_files

MOST_FILE_BYTES = 64 * 1024 * 1024
MOST_BUNDLE_BYTES = 256 * 1024 * 1024
MOST_FILES = 10_000


class BundleDirectory:
    """The `Cluster` port on `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    async def find(self, cluster: str, namespace: str, rollout: str) -> Objects:
        folder = self._inside(cluster, namespace, rollout)
        if folder is None or not folder.is_dir():
            return Objects(status="gone", reason=f"there is no rollout {namespace}/{rollout}")
        newest = sorted((one for one in folder.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime)
        for version in reversed(newest):
            found = await asyncio.to_thread(self._read_objects, version / "objects" / "rollout")
            if found.objects:
                return found
        return Objects(status="gone", reason=f"nothing is kept of the rollout {namespace}/{rollout}")

    async def objects(self, target: Target, kind: Kind) -> Objects:
        folder = self._folder(target)
        if folder is None:
            return Objects(status="gone", reason="nothing is kept of this canary")
        if kind == "event":
            return await asyncio.to_thread(self._read_events, folder / "events.json")
        return await asyncio.to_thread(
            self._read_objects, folder / ("config" if kind == "configmap" else f"objects/{kind}")
        )

    async def log(self, target: Target, source: LogSource) -> LogText:
        folder = self._folder(target)
        path = self._below(folder, f"{source.item_id}.log") if folder else None
        if path is None or not path.is_file():
            return LogText(status="gone", reason="the log is not kept")
        if path.stat().st_size > MOST_FILE_BYTES:
            return LogText(status="failed", reason=f"the log is larger than {MOST_FILE_BYTES} bytes")
        text = await asyncio.to_thread(path.read_text, encoding="utf-8", errors="replace")
        return LogText(status="ok" if text else "empty", text=text)

    def _folder(self, target: Target) -> Path | None:
        folder = self._inside(target.cluster, target.namespace, target.rollout, target.canary_hash)
        return folder if folder is not None and folder.is_dir() else None

    def _inside(self, *names: str) -> Path | None:
        """The folder of the names, None where one of them is no plain name or a link leads out."""
        if any(name in {"", ".", ".."} or "/" in name or "\\" in name or "\0" in name for name in names):
            return None
        return self._below(self._root, "/".join(names))

    def _below(self, folder: Path, relative: str) -> Path | None:
        path = (folder / relative).resolve()
        return path if path.is_relative_to(self._root) else None

    def _read_objects(self, folder: Path) -> Objects:
        inside = self._below(folder, ".")
        if inside is None or not inside.is_dir():
            return Objects(status="empty", reason="none is kept")
        objects: list[dict[str, Any]] = []
        for path in sorted(inside.glob("*.json")):
            thing = self._read_json(path)
            if not isinstance(thing, dict):
                return Objects(status="failed", reason=f"{path.name} is not a JSON object")
            objects.append(thing)
        objects.sort(key=lambda thing: str((thing.get("metadata") or {}).get("creationTimestamp")))
        return Objects(status="ok" if objects else "empty", objects=tuple(objects))

    def _read_events(self, path: Path) -> Objects:
        if not path.is_file():
            return Objects(status="empty", reason="none is kept")
        events = self._read_json(path)
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            return Objects(status="failed", reason="events.json is not a JSON list of objects")
        return Objects(status="ok" if events else "empty", objects=tuple(events))

    def _read_json(self, path: Path) -> Any:
        if self._below(path.parent, path.name) is None or path.stat().st_size > MOST_FILE_BYTES:
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            return None


def read_bundle(path: Path) -> Bundle:
    """A bundle from a directory or a .tar.gz; `Invalid` says what is wrong with it."""
    if path.is_dir():
        return from_files(_read_folder(path))
    if not path.is_file():
        raise Invalid(f"there is no bundle at {path}")
    try:
        return from_files(_read_archive(path))
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Invalid(f"{path} is neither a folder nor a .tar.gz that can be read: {error}") from error


def _read_folder(folder: Path) -> dict[str, str]:
    files: dict[str, str] = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        total += path.stat().st_size
        _refuse_too_large(len(files), total)
        files[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8", errors="replace")
    return files


def _read_archive(path: Path) -> dict[str, str]:
    """Regular members only, read into memory: nothing of an archive is ever written to disk."""
    files: dict[str, str] = {}
    total = 0
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            name = PurePosixPath(member.name)
            content = archive.extractfile(member) if member.isreg() else None
            if content is None:
                continue
            if name.is_absolute() or ".." in name.parts:
                raise Invalid(f"the archive holds a path that leaves it: {member.name}")
            total += member.size
            _refuse_too_large(len(files), total)
            files[str(name)] = content.read().decode("utf-8", "replace")
    roots = {name.partition("/")[0] for name in files}
    if "bundle.json" not in files and len(roots) == 1:
        root = f"{roots.pop()}/"
        files = {name.removeprefix(root): text for name, text in files.items()}
    return files


def _refuse_too_large(count: int, total: int) -> None:
    if total > MOST_BUNDLE_BYTES or count > MOST_FILES:
        raise Invalid(f"a bundle has at most {MOST_FILES} files and {MOST_BUNDLE_BYTES} bytes")
