"""The manifests of an Application as they are at a commit, and the commits that gave their values."""

import posixpath
import re
from collections.abc import Sequence

from agents.changes.kustomize import NAMES, is_kustomization, taken_in
from agents.changes.repository import Commit, Repository
from agents.changes.values import ValueChange, documents, value_at
from agents.evidence import ManifestSource

MOST_FILES_READ = 400
MOST_STEPS = 60
"""Commits that are looked at, one after another, for who changed one value."""
HELM = re.compile(r"\{\{-? {0,8}(?:\.[A-Za-z]|\$|include |template |if |range |with |define |toYaml )")
"""Actions of Helm; `{{args.x}}` is Argo's, and no template."""
YAML_ENDINGS = (".yaml", ".yml")


async def read_manifests(manifests: Repository, commit: str, origin: ManifestSource) -> dict[str, str]:
    """The files that make the Application's objects, by path.

    Where the folder has a kustomization these are the ones that it takes in, from other folders, too; else every YAML
    file below the folder.
    """
    folder = origin.path.strip("/") if origin.path.strip("/.") else ""
    tree = await manifests.files(commit)
    known = set(tree)
    start = [path for name in NAMES if (path := posixpath.join(folder, name)) in known]
    if start:
        return await _closure(manifests, commit, start[0], known)
    prefix = f"{folder}/" if folder else ""
    wanted = [path for path in tree if path.startswith(prefix) and path.endswith(YAML_ENDINGS)]
    return await _read(manifests, commit, wanted[:MOST_FILES_READ])


def is_template(path: str, text: str) -> bool:
    """Whether a file has to be rendered by Helm before it is a manifest, or says that others have to."""
    return posixpath.basename(path) == "Chart.yaml" or bool(HELM.search(text))


async def _closure(manifests: Repository, commit: str, start: str, known: set[str]) -> dict[str, str]:
    """A kustomization and all that it takes in, directly or through others."""
    files: dict[str, str] = {}
    waiting = [start]
    while waiting and len(files) < MOST_FILES_READ:
        level = [path for path in dict.fromkeys(waiting) if path not in files]
        there = [path for path in level if path in known]
        files |= await _read(manifests, commit, there[: MOST_FILES_READ - len(files)])
        waiting = []
        for path in level:
            if path not in known:
                waiting += [inner for name in NAMES if (inner := posixpath.join(path, name)) in known]
            elif is_kustomization(path):
                waiting += [one for document in documents(files.get(path, "")) for one in taken_in(path, document)]
    return files


async def _read(manifests: Repository, commit: str, paths: Sequence[str]) -> dict[str, str]:
    """Those that can be read, in this order; together, since each may have to be fetched."""
    texts = await manifests.read_all(commit, paths)
    return {path: texts[path] for path in paths if path in texts}


async def blamed(change: ValueChange, commits: Sequence[Commit], manifests: Repository) -> ValueChange:
    """The change with the newest commit (`commits`: newest first) in which the value became what it is.

    Values are compared, not lines: a key that stands in a file twice, or moved to another file, misleads nobody. A
    merge is passed over, since what it brought is in the range itself.
    """
    path = change.file
    for commit in commits[:MOST_STEPS]:
        touched = {hunk.file for hunk in commit.hunks} | {hunk.old_file for hunk in commit.hunks if hunk.old_file}
        if path not in touched | set(commit.renames.values()) or len(commit.parents) != 1:
            continue
        earlier = {new: old for old, new in commit.renames.items()}.get(path, path)
        others = sorted(one for one in touched - {path, earlier} if one.endswith(YAML_ENDINGS) or is_kustomization(one))
        now = await _value(change, commit.sha, [path, *others], manifests)
        was = await _value(change, commit.parents[0], [earlier, *others], manifests)
        if now != was:
            return change.model_copy(update={"commit": commit.sha})
        path = earlier
    return change


async def _value(change: ValueChange, commit: str, paths: Sequence[str], manifests: Repository) -> str | None:
    """The value at a commit, in the first of the files that has it; a file may need the kustomization beside it."""
    for path in paths:
        files = await _read(manifests, commit, [path])
        found = value_at(files, change, path)
        if found is None and files and not is_kustomization(path):
            beside = [posixpath.join(posixpath.dirname(path), name) for name in NAMES]
            found = value_at(files | await _read(manifests, commit, beside), change, path)
        if found is not None:
            return found
    return None
