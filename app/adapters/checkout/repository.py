"""`agents.changes.Repository` on a git directory, which is only read."""

import re
import secrets
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from agents.changes import MOST_COMMITS, MOST_MATCHES, Blamed, Commit, FileText, Match, is_lfs_pointer
from agents.errors import Denied, Invalid
from app.adapters.checkout.answers import FIELDS, blamed_of, commit_of, contents_of, matches_of, origins_of, text_of
from app.adapters.checkout.git import full_sha, run_git
from app.adapters.checkout.objects import Objects, Supply
from app.adapters.checkout.wanted import (
    MEDIA,
    REGULAR,
    Entry,
    bring_difference,
    bring_files,
    bring_history,
    bring_range,
    entries_of,
    literal,
)

KINDS = {"040000": "a folder", "120000": "a link", "160000": "a submodule"}
MOST_DIFF_BYTES = 16 * 1024 * 1024
MOST_FILE_BYTES = 1024 * 1024
MOST_FOUND_BYTES = 8 * 1024 * 1024
MOST_MESSAGE_BYTES = 64 * 1024
DIFF = (
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--diff-algorithm=histogram",
    "--no-relative",
    "--submodule=short",
    "--inter-hunk-context=0",
    "-O/dev/null",
)
"""The repository's own configuration must not change what a diff looks like."""
REVISION = re.compile(r"(?![-:])[^\s\x00-\x1f\x7f]{1,256}")
MOST_NAMES = 200
"""Paths in one command line."""
MOST_SEARCHED = 20
"""Files of which the lines that hold a text are asked for at once."""
MOST_OF_A_FILE = 5
"""Lines of one file that `mentions` tells."""
NO_SUCH_LINES = re.compile(r"no such path|has only \d+ lines?")
WORD_ENDING = re.compile(r"\.\w{1,10}")
GENERATED = ("node_modules/**", "vendor/**", "third_party/**", "dist/**", "testdata/**", "__snapshots__/**")
GENERATED_FILES = (
    "*.min.js",
    "*.map",
    "*.svg",
    "*.snap",
    "*.po",
    "*.pb.go",
    "*.lock",
    "*-lock.json",
    "go.sum",
    "*.csv",
)
WRITTEN = (
    ":(top)",
    *(f":(top,exclude,glob)**/{folder}" for folder in GENERATED),
    *(f":(top,exclude,glob)**/{name}" for name in GENERATED_FILES),
)
"""Everything but what is generated or vendored: where the changes of a range are too many, those are left out."""
NO_MEDIA = tuple(f":(top,exclude,icase)*{ending}" for ending in MEDIA)


class GitRepository:
    """A bare repository, or the `.git` of a work tree. A `supply` brings the blobs that were left out of it."""

    def __init__(self, git_dir: Path, supply: Supply | None = None) -> None:
        self._objects = Objects(git_dir, supply)
        self._git = self._objects.git

    @classmethod
    async def at(cls, folder: Path) -> "GitRepository":
        """The repository of a folder that a person named, bare or not; `Invalid` if there is none."""
        try:
            for candidate in (folder / ".git", folder):
                if (candidate / "HEAD").is_file() and (candidate / "objects").is_dir():
                    return cls(candidate.resolve())
            if (folder / ".git").is_file():
                text = (folder / ".git").read_text(encoding="utf-8", errors="replace")
                pointed = folder / text.removeprefix("gitdir:").strip()
                if (pointed / "HEAD").is_file():
                    return cls(pointed.resolve())
        except (OSError, ValueError) as error:
            raise Invalid(f"{folder} cannot be read: {error}") from error
        raise Invalid(f"{folder} is not a git repository")

    async def resolve(self, revision: str) -> str:
        if not REVISION.fullmatch(revision):
            raise Denied(f"{revision!r} is not a revision")
        try:
            out = await self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        except Denied as error:
            raise Denied(f"the revision {revision} is not in the repository") from error
        return full_sha(out.decode().strip())

    async def message(self, commit: str) -> str:
        out = await self._git("log", "--no-walk", "--format=%B", "--end-of-options", full_sha(commit))
        return out[:MOST_MESSAGE_BYTES].decode("utf-8", "replace")

    async def commits(self, old: str, new: str) -> tuple[Commit, ...]:
        span = f"{full_sha(old)}..{full_sha(new)}"
        try:
            return await self._commits(span, is_partial=False)
        except Denied as error:
            if "larger than" not in str(error):
                raise
            return await self._commits(span, is_partial=True)

    async def _commits(self, span: str, *, is_partial: bool) -> tuple[Commit, ...]:
        mark = secrets.token_hex(16)  # nothing in a message or a diff can be taken for the start of a commit
        form = (f"--format={mark}{FIELDS}%x00", "--diff-merges=first-parent", "-p", "-U3", "-M", *DIFF)
        limits, paths = [f"--max-count={MOST_COMMITS}"], []
        if is_partial:  # without a path git leaves no commit out; with one it must be told not to
            limits, paths = [*limits, "--full-history", "--sparse"], ["--", *WRITTEN]
        await bring_range(self._objects, span, limits, paths)
        out = await self._git(
            "log", "--topo-order", *limits, *form, "--end-of-options", span, *paths, most_bytes=MOST_DIFF_BYTES
        )
        entries = out.decode("utf-8", "replace").split(mark)[1:]
        return tuple(commit_of(entry, is_partial=is_partial) for entry in entries)

    async def compare(self, old: str, new: str, path: str = "") -> str:
        limit = ("--", literal(path)) if path else ()
        span = ("--end-of-options", full_sha(old), full_sha(new))
        await bring_difference(self._objects, old, new, limit)
        out = await self._git("diff", "-U0", "-M", *DIFF, *span, *limit, most_bytes=MOST_DIFF_BYTES)
        return out.decode("utf-8", "replace")

    async def files(self, commit: str) -> tuple[str, ...]:
        out = await self._git("ls-tree", "-r", "-z", "--name-only", "--full-tree", "--end-of-options", full_sha(commit))
        return tuple(name for name in out.decode("utf-8", "replace").split("\0") if name)

    async def read(self, commit: str, path: str) -> FileText:
        where = ("--full-tree", full_sha(commit), "--", literal(path))
        entry = None if "\0" in path else next(entries_of(await self._git("ls-tree", "-z", *where)), None)
        if entry is None:
            return FileText(status="gone", reason=f"{path} is not in the commit")
        if entry.path != path or entry.mode not in REGULAR:
            return FileText(status="denied", reason=f"{path} is {KINDS.get(entry.mode, 'not a regular file')}")
        refusal = _refusal((await self._objects.sizes([entry.blob])).get(entry.blob))
        text = text_of(await self._git("cat-file", "blob", entry.blob)) if refusal is None else None
        if text is None:
            return FileText(status="denied", reason=f"{path} {refusal or 'is not text'}")
        if is_lfs_pointer(text):
            return FileText(status="denied", reason=f"{path} is kept in Git LFS: the repository has a pointer to it")
        return FileText(status="ok", text=text)

    async def read_all(self, commit: str, paths: Sequence[str]) -> dict[str, str]:
        named = await self._named(commit, [path for path in dict.fromkeys(paths) if path and "\0" not in path])
        sizes = await self._objects.sizes(entry.blob for entry in named)
        chosen = [entry for entry in named if _refusal(sizes.get(entry.blob)) is None]
        out = await self._git(
            "cat-file", "--batch", "--buffer", stdin="".join(f"{one.blob}\n" for one in chosen).encode()
        )
        texts = zip(chosen, (text_of(content) for content in contents_of(out)), strict=False)
        return {one.path: text for one, text in texts if text is not None and not is_lfs_pointer(text)}

    async def _named(self, commit: str, paths: Sequence[str]) -> list[Entry]:
        """Those of these paths that are regular files."""
        found: list[Entry] = []
        for at in range(0, len(paths), MOST_NAMES):
            names = paths[at : at + MOST_NAMES]
            out = await self._git(
                "ls-tree", "-r", "-z", "--full-tree", full_sha(commit), "--", *(literal(name) for name in names)
            )
            found += [one for one in entries_of(out) if one.path in names and one.mode in REGULAR]
        return found

    async def blame(self, commit: str, path: str, first: int, last: int) -> tuple[Blamed, ...]:
        found = await self.read(commit, path)
        if found.status != "ok":
            raise Denied(found.reason or f"{path} cannot be read")
        last = min(last, len(found.text.removesuffix("\n").split("\n")) if found.text else 0)
        if not 1 <= first <= last:
            return ()
        await bring_history(self._objects, commit, path)
        span = f"{first},{last}"
        out = await self._objects.git_at_need(
            "blame", "--no-textconv", "--line-porcelain", "-L", span, full_sha(commit), "--", path
        )
        return blamed_of(out.decode("utf-8", "replace"))

    async def origins(
        self, commit: str, path: str, spans: Sequence[tuple[int, int]], since: str, ignoring: Sequence[str] = ()
    ) -> dict[int, str]:
        lines = [f"-L{first},{last}" for first, last in spans if 1 <= first <= last]
        if not lines or "\0" in path:
            return {}
        ignored = [word for sha in ignoring for word in ("--ignore-rev", full_sha(sha))]
        span = f"{full_sha(since)}..{full_sha(commit)}"
        await bring_history(self._objects, commit, path, since)
        try:
            out = await self._objects.git_at_need(
                "blame", "--no-textconv", "--porcelain", "-w", "-M", "-C", *ignored, *lines, span, "--", path
            )
        except Denied as error:
            if NO_SUCH_LINES.search(str(error)) is None:
                raise
            return {}
        return origins_of(out.decode("utf-8", "replace"))

    async def search(self, commit: str, text: str, path: str = "") -> tuple[Match, ...]:
        if not text.strip() or "\n" in text or "\0" in text:
            raise Denied("search for one line, or a part of one")
        await bring_files(self._objects, commit, path)
        what = ("-I", "-F", "-z", "--no-textconv", "--full-name", "-e", text, full_sha(commit), "--")
        listed = await self._grep("--files-with-matches", *what, literal(path), *NO_MEDIA)
        files = [named.partition(":")[2] for named in listed.decode("utf-8", "surrogateescape").split("\0") if named]
        found: list[Match] = []
        for at in range(0, min(len(files), MOST_MATCHES), MOST_SEARCHED):
            names = [literal(file) for file in files[at : at + MOST_SEARCHED]]
            if len(found) < MOST_MATCHES:
                lines = await self._grep("-n", f"--max-count={MOST_MATCHES}", *what, *names)
                found += matches_of(lines.decode("utf-8", "replace"))
        return tuple(found[:MOST_MATCHES])

    async def subjects(self, commit: str, most: int) -> tuple[str, ...]:
        form = (f"--max-count={most}", "--no-merges", "--format=%s")
        out = await self._git("log", *form, "--end-of-options", full_sha(commit), most_bytes=MOST_DIFF_BYTES)
        return tuple(out.decode("utf-8", "replace").splitlines())

    async def messages_with(self, old: str, new: str, text: str) -> tuple[str, ...]:
        if not text or "\n" in text:
            raise Denied("what is searched for must be one line, or a part of one")
        form = (f"--max-count={MOST_COMMITS}", "--format=%B%x00", "--fixed-strings", f"--grep={text}")
        span = f"{full_sha(old)}..{full_sha(new)}"
        out = await self._git("log", *form, "--end-of-options", span, most_bytes=MOST_DIFF_BYTES)
        return tuple(message.strip("\n") for message in out.decode("utf-8", "replace").split("\0")[:-1])

    async def patch_id(self, diff: str) -> str:
        out = await run_git(None, "patch-id", "--stable", stdin=diff.encode("utf-8", "surrogateescape"))
        return out.decode().partition(" ")[0]

    async def mentions(self, commit: str, words: Sequence[str], endings: Sequence[str]) -> tuple[Match, ...]:
        sought = [part for word in words if word.strip() and not {"\n", "\0"} & set(word) for part in ("-e", word)]
        if not sought:
            return ()
        plain = [ending for ending in endings if WORD_ENDING.fullmatch(ending)]
        paths = [f":(top,glob)**/*{ending}" for ending in plain]
        await bring_files(self._objects, commit, "", plain)
        out = await self._grep(
            "-I", "-F", "-w", "-z", "-n", "--no-textconv", "--full-name", f"--max-count={MOST_OF_A_FILE}", *sought,
            full_sha(commit), "--", *paths,
        )  # fmt: skip
        return tuple(islice(matches_of(out.decode("utf-8", "replace")), MOST_MATCHES))

    async def _grep(self, *argv: str) -> bytes:
        """The exit code 1 says that nothing was found."""
        return await self._git("grep", *argv, codes=frozenset({0, 1}), most_bytes=MOST_FOUND_BYTES)


def _refusal(size: int | None) -> str | None:
    """Why a file of that size, None where it cannot be had, is not read."""
    if size is None:
        return "is damaged in the repository, or not there any more"
    return f"is larger than {MOST_FILE_BYTES} bytes" if size > MOST_FILE_BYTES else None
