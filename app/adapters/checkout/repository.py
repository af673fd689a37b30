"""`agents.changes.Repository` on a git directory, which is only read."""

import re
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from agents.changes import MOST_COMMITS, MOST_MATCHES, Blamed, Commit, FileText, Match
from agents.errors import Denied, Invalid
from app.adapters.checkout.git import full_sha, run_git

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
FIELDS = "%H%x00%P%x00%an%x00%ct%x00%s"
REVISION = re.compile(r"(?![-:])[^\s\x00-\x1f\x7f]{1,256}")
LATEST = datetime(9999, 12, 31, tzinfo=UTC)
REGULAR = {"100644", "100755"}
MOST_NAMES = 200
"""Paths in one command line."""
MOST_OF_A_FILE = 5
"""Lines of one file that `mentions` tells."""
WORD_ENDING = re.compile(r"\.\w{1,10}")
HEAD_OF_LINE = re.compile(r"(?P<sha>[0-9a-f]{40}) \d+ (?P<line>\d+)")
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


class GitRepository:
    """A bare repository, or the `.git` of a work tree."""

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir

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
        mark = secrets.token_hex(16)  # nothing in a message or a diff can be taken for the start of a commit
        form = (f"--max-count={MOST_COMMITS}", f"--format={mark}{FIELDS}%x00", "--diff-merges=first-parent")
        span = f"{full_sha(old)}..{full_sha(new)}"
        argv = ("log", "--topo-order", *form, "-p", "-U3", "-M", *DIFF)
        is_partial = False
        try:
            out = await self._git(*argv, "--end-of-options", span, most_bytes=MOST_DIFF_BYTES)
        except Denied as error:
            if "larger than" not in str(error):
                raise
            is_partial = True  # without a path git leaves no commit out; with one it must be told not to
            out = await self._git(
                *argv,
                "--full-history",
                "--sparse",
                "--end-of-options",
                span,
                "--",
                *WRITTEN,
                most_bytes=MOST_DIFF_BYTES,
            )
        return tuple(_commit(entry, is_partial) for entry in out.decode("utf-8", "replace").split(mark)[1:])

    async def compare(self, old: str, new: str, path: str = "") -> str:
        limit = ("--", f":(literal,top){path}") if path else ()
        span = ("--end-of-options", full_sha(old), full_sha(new))
        out = await self._git("diff", "-U0", "-M", *DIFF, *span, *limit, most_bytes=MOST_DIFF_BYTES)
        return out.decode("utf-8", "replace")

    async def files(self, commit: str) -> tuple[str, ...]:
        out = await self._git("ls-tree", "-r", "-z", "--name-only", "--full-tree", "--end-of-options", full_sha(commit))
        return tuple(name for name in out.decode("utf-8", "replace").split("\0") if name)

    async def read(self, commit: str, path: str) -> FileText:
        if "\0" in path:
            return FileText(status="gone", reason="there is no such name")
        out = await self._git("ls-tree", "-z", "-l", "--full-tree", full_sha(commit), "--", f":(literal,top){path}")
        entry = out.decode("utf-8", "replace").split("\0")[0]
        if not entry:
            return FileText(status="gone", reason=f"{path} is not in the commit")
        about, _, name = entry.partition("\t")
        mode, kind, sha, size = about.split()
        refusal = _refusal(size) if name == path and kind == "blob" and mode in REGULAR else "is not a regular file"
        if refusal is not None:
            return FileText(status="denied", reason=f"{path} {refusal}")
        content = await self._git("cat-file", "blob", sha)
        text = _text(content)
        if text is None:
            return FileText(status="denied", reason=f"{path} is not text")
        return FileText(status="ok", text=text)

    async def read_all(self, commit: str, paths: Sequence[str]) -> dict[str, str]:
        named: dict[str, str] = {}
        wanted = [path for path in dict.fromkeys(paths) if path and "\0" not in path]
        for at in range(0, len(wanted), MOST_NAMES):
            names = wanted[at : at + MOST_NAMES]
            out = await self._git(
                "ls-tree",
                "-r",
                "-z",
                "-l",
                "--full-tree",
                full_sha(commit),
                "--",
                *(f":(literal,top){n}" for n in names),
            )
            for entry in out.decode("utf-8", "replace").split("\0"):
                about, _, name = entry.partition("\t")
                if name in names and (sha := _readable(about)) is not None:
                    named[name] = sha
        out = await run_git(
            self._git_dir, "cat-file", "--batch", stdin="".join(f"{sha}\n" for sha in named.values()).encode()
        )
        texts = (_text(content) for content in _contents(out))
        return {path: text for path, text in zip(named, texts, strict=False) if text is not None}

    async def blame(self, commit: str, path: str, first: int, last: int) -> tuple[Blamed, ...]:
        found = await self.read(commit, path)
        if found.status != "ok":
            raise Denied(found.reason or f"{path} cannot be read")
        last = min(last, len(found.text.removesuffix("\n").split("\n")) if found.text else 0)
        if not 1 <= first <= last:
            return ()
        span = f"{first},{last}"
        out = await self._git("blame", "--no-textconv", "--line-porcelain", "-L", span, full_sha(commit), "--", path)
        return tuple(_blamed(entry) for entry in _entries(out.decode("utf-8", "replace")))

    async def origins(
        self, commit: str, path: str, spans: Sequence[tuple[int, int]], since: str, ignoring: Sequence[str] = ()
    ) -> dict[int, str]:
        lines = [f"-L{first},{last}" for first, last in spans if 1 <= first <= last]
        if not lines or "\0" in path:
            return {}
        ignored = [word for sha in ignoring for word in ("--ignore-rev", full_sha(sha))]
        out = await run_git(
            self._git_dir, "blame", "--no-textconv", "--porcelain", "-w", "-M", "-C", *ignored, *lines,
            f"{full_sha(since)}..{full_sha(commit)}", "--", path, codes=frozenset({0, 128}),
        )  # fmt: skip
        return _origins(out.decode("utf-8", "replace"))

    async def search(self, commit: str, text: str, path: str = "") -> tuple[Match, ...]:
        if not text.strip() or "\n" in text or "\0" in text:
            raise Denied("search for one line, or a part of one")
        what = ("-I", "-F", "-z", "--no-textconv", "--full-name", "-e", text, full_sha(commit), "--")
        listed = await self._grep("--files-with-matches", *what, f":(literal,top){path}")
        found: list[Match] = []
        for named in listed.decode("utf-8", "replace").split("\0")[:MOST_MATCHES]:
            file = named.partition(":")[2]
            if file and len(found) < MOST_MATCHES:
                lines = await self._grep("-n", f"--max-count={MOST_MATCHES}", *what, f":(literal,top){file}")
                found += _matches(file, lines.decode("utf-8", "replace"))
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
        paths = [f":(top,glob)**/*{ending}" for ending in endings if WORD_ENDING.fullmatch(ending)]
        out = await self._grep(
            "-I", "-F", "-w", "-z", "-n", "--no-textconv", "--full-name", f"--max-count={MOST_OF_A_FILE}", *sought,
            full_sha(commit), "--", *paths,
        )  # fmt: skip
        found: list[Match] = []
        for line in out.decode("utf-8", "replace").split("\n"):
            name, _, rest = line.partition("\0")
            number, _, text = rest.partition("\0")
            if number.isdigit() and len(found) < MOST_MATCHES:
                found.append(Match(path=name.partition(":")[2], line=int(number), text=text))
        return tuple(found)

    async def _grep(self, *argv: str) -> bytes:
        """The exit code 1 says that nothing was found."""
        return await run_git(self._git_dir, "grep", *argv, codes=frozenset({0, 1}), most_bytes=MOST_FOUND_BYTES)

    async def _git(self, *argv: str, most_bytes: int | None = None) -> bytes:
        return await run_git(self._git_dir, *argv, most_bytes=most_bytes)


def _commit(entry: str, is_partial: bool) -> Commit:  # noqa: FBT001 - a field of the commit
    sha, parents, author, at, subject, diff = entry.split("\0", 5)
    return Commit(
        sha=sha,
        parents=tuple(parents.split()),
        author=author,
        at=datetime.fromtimestamp(min(int(at), LATEST.timestamp()), UTC),
        subject=subject,
        diff=diff.lstrip("\n"),
        is_partial=is_partial,
    )


def _readable(about: str) -> str | None:
    """The blob of a line of `ls-tree -l`, if it is a file that is read."""
    mode, kind, sha, size = about.split()
    return sha if kind == "blob" and mode in REGULAR and _refusal(size) is None else None


def _contents(batch: bytes) -> Iterator[bytes]:
    """The blobs that `cat-file --batch` tells, in order; nothing for one that is not there."""
    at = 0
    while at < len(batch):
        end = batch.index(b"\n", at)
        size = batch[at:end].rsplit(b" ", 1)[-1]
        at = end + 1
        if not size.isdigit():
            yield b"\0"
            continue
        yield batch[at : at + int(size)]
        at += int(size) + 1


def _text(content: bytes) -> str | None:
    """None for what is not text."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _entries(porcelain: str) -> list[list[str]]:
    """The lines about each blamed line; the last of them is its text, after a tab."""
    entries: list[list[str]] = [[]]
    for line in porcelain.split("\n")[:-1]:
        entries[-1].append(line)
        if line.startswith("\t"):
            entries.append([])
    return entries[:-1]


def _blamed(entry: list[str]) -> Blamed:
    sha, _, line = entry[0].split(" ")[:3]
    about = dict(field.partition(" ")[::2] for field in entry[1:-1])
    return Blamed(line=int(line), commit=sha, author=about["author"], subject=about["summary"], text=entry[-1][1:])


def _origins(porcelain: str) -> dict[int, str]:
    """The commit of each line; one is marked as the boundary where it, or one before it, may have written the line."""
    found: dict[int, str] = {}
    older: set[str] = set()
    sha = ""
    for line in porcelain.split("\n"):
        head = HEAD_OF_LINE.match(line)
        if head is not None:
            sha = head["sha"]
            found[int(head["line"])] = sha
        elif line == "boundary":
            older.add(sha)
    return {number: sha for number, sha in found.items() if sha not in older}


def _matches(file: str, out: str) -> list[Match]:
    fields = [line.split("\0", 2) for line in out.split("\n") if line]
    return [Match(path=file, line=int(field[1]), text=field[2]) for field in fields if len(field) == 3]


def _refusal(size: str) -> str | None:
    """Why a file of that size, as git tells it, is not read."""
    if not size.isdigit():
        return "is damaged in the repository"
    return f"is larger than {MOST_FILE_BYTES} bytes" if int(size) > MOST_FILE_BYTES else None
