"""Which blobs git will read for an answer, told by commits and trees alone: so they can be fetched at once beforehand.

Every function brings what it finds; for a repository that has all its blobs, it does nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from app.adapters.checkout.git import FULL_SHA, full_sha
from app.adapters.checkout.objects import Objects

RAW = ("--raw", "-z", "--no-abbrev", "--no-ext-diff", "--submodule=short", "--no-relative")
SUBMODULE = "160000"
REGULAR = frozenset({"100644", "100755"})
MEDIA = (
    *(
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".webp",
        ".ico",
        ".bmp",
        ".tiff",
        ".psd",
        ".pdf",
        ".mp3",
        ".mp4",
        ".mov",
        ".avi",
    ),
    *(".woff", ".woff2", ".ttf", ".otf", ".eot", ".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".tar", ".jar"),
    *(".war", ".whl", ".class", ".pyc", ".so", ".dll", ".exe", ".dylib", ".o", ".a", ".bin", ".wasm", ".parquet"),
    *(".onnx", ".pt", ".safetensors", ".npy", ".sqlite", ".db"),
)
"""Endings of files in whose text nobody searches."""
MOST_NAMES_OF_A_FILE = 8
"""Renames that are followed when the authors of lines are asked for."""


class Change(NamedTuple):
    """What a commit did to a file: its blobs on both sides, none for a side without one."""

    commit: str
    status: str
    blobs: tuple[str, ...]
    paths: tuple[str, ...]


async def bring_range(objects: Objects, span: str, limits: Sequence[str], paths: Sequence[str]) -> None:
    """What the differences of the commits of a range consist of; of a merge, that to its first parent."""
    if objects.is_partial:
        argv = ("log", *RAW, "--no-renames", "--format=%H", "--topo-order", "--diff-merges=first-parent", *limits)
        await objects.need(_blobs(_changes(await objects.git(*argv, "--end-of-options", span, *paths))))


async def bring_difference(objects: Objects, old: str, new: str, paths: Sequence[str]) -> None:
    """What the difference of two commits consists of."""
    if objects.is_partial:
        out = await objects.git("diff", *RAW, "--no-renames", "--end-of-options", old, new, *paths)
        await objects.need(_blobs(_changes(out)))


async def bring_files(objects: Objects, commit: str, path: str, endings: Sequence[str] = ()) -> None:
    """The regular files of a commit at or below a path: those with one of the endings, else all that are no media."""
    if objects.is_partial:
        files = await _files(objects, commit, path)
        await objects.need(one.blob for one in files if _is_chosen(one.path, endings))


async def _files(objects: Objects, commit: str, path: str) -> list["Entry"]:
    out = await objects.git("ls-tree", "-r", "-z", "--full-tree", full_sha(commit), "--", literal(path))
    return [one for one in entries_of(out) if one.mode in REGULAR]


def _is_chosen(path: str, endings: Sequence[str]) -> bool:
    return path.endswith(tuple(endings)) if endings else not path.lower().endswith(MEDIA)


async def bring_history(objects: Objects, commit: str, path: str, since: str | None = None) -> None:
    """What `git blame` reads of a file: its versions under all its names, and what it may have been renamed from.

    In a range (`since`), also what else the commits changed that touched it: there, lines are sought in other files.
    """
    if not objects.is_partial:
        return
    here = {one.blob for one in await _files(objects, commit, path) if one.path == path}
    if not here:
        return
    tips, names = [commit], {path}
    for _ in range(MOST_NAMES_OF_A_FILE):
        walked = [*tips, *((f"^{since}",) if since else ())]
        argv = ("log", *RAW, "--no-renames", "--format=%H", "--full-history", "--diff-merges=separate")
        changes = list(_changes(await objects.git(*argv, *walked, "--", literal(path))))
        added = {change.commit for change in changes if change.status == "A"}
        whole = {change.commit for change in changes} if since else added
        beside = [one for one in await _of_commits(objects, whole) if since or one.status == "D"]
        await objects.need(here | _blobs([*changes, *beside]))
        former = await _former(objects, added, path)
        tips = [one.commit for one in former]
        if not former or former[0].paths[0] in names:
            return
        path = former[0].paths[0]
        names.add(path)


async def _former(objects: Objects, commits: Collection[str], path: str) -> list[Change]:
    """The renames that gave a file this path in one of these commits, those from the same name together."""
    renames = await _of_commits(objects, commits, "-M", "--diff-filter=R") if commits else []
    found = [one for one in renames if one.paths[-1] == path]
    return [one for one in found if one.paths[0] == found[0].paths[0]]


async def _of_commits(objects: Objects, commits: Collection[str], *options: str) -> list[Change]:
    """What each of these commits did to any file, to each of its parents."""
    if not commits:
        return []
    names = "".join(f"{one}\n" for one in sorted(commits)).encode()
    how = options or ("--no-renames",)
    return list(_changes(await objects.git("diff-tree", "--stdin", "-m", "-r", *RAW, *how, stdin=names)))


def literal(path: str) -> str:
    """The path specification of one path, from the root, whatever its letters mean to git."""
    return f":(literal,top){path}"


class Entry(NamedTuple):
    """A line of `git ls-tree`; `blob` is a commit's id for a submodule."""

    mode: str
    blob: str
    path: str


def entries_of(listed: bytes) -> Iterator[Entry]:
    """What `git ls-tree -z` tells; names that are no text are kept as they are."""
    for line in listed.decode("utf-8", "surrogateescape").split("\0"):
        about, tab, path = line.partition("\t")
        if tab:
            mode, _, sha = about.split()
            yield Entry(mode, sha, path)


def _changes(raw: bytes) -> Iterator[Change]:
    """What `--raw -z` tells, commit by commit where it names them."""
    fields = iter(raw.decode("utf-8", "surrogateescape").split("\0"))
    commit = ""
    for field in fields:
        about = field.removeprefix("\n")
        if not about.startswith(":"):
            commit = about if FULL_SHA.fullmatch(about) else commit
            continue
        old_mode, new_mode, old, new, status = about.removeprefix(":").split(" ")
        sides = ((old_mode, old), (new_mode, new))
        blobs = tuple(sha for mode, sha in sides if mode not in {SUBMODULE, "000000"})
        paths = tuple(next(fields) for _ in range(2 if status[0] in "RC" else 1))
        yield Change(commit, status[0], blobs, paths)


def _blobs(changes: Collection[Change] | Iterator[Change]) -> set[str]:
    return {sha for change in changes for sha in change.blobs}
