"""`agents.changes.Repository` on a git directory, which is only read."""

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

from agents.changes import MOST_COMMITS, Commit, FileText
from agents.errors import Denied, Invalid
from app.adapters.checkout.git import full_sha, run_git

MOST_DIFF_BYTES = 16 * 1024 * 1024
MOST_FILE_BYTES = 1024 * 1024
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

    async def commits(self, old: str, new: str) -> tuple[Commit, ...]:
        mark = secrets.token_hex(16)  # nothing in a message or a diff can be taken for the start of a commit
        form = (f"--max-count={MOST_COMMITS}", f"--format={mark}{FIELDS}%x00", "--diff-merges=first-parent")
        span = f"{full_sha(old)}..{full_sha(new)}"
        out = await self._git(
            "log", "--topo-order", *form, "-p", "-U3", "-M", *DIFF, "--end-of-options", span, most_bytes=MOST_DIFF_BYTES
        )
        commits = []
        for entry in out.decode("utf-8", "replace").split(mark)[1:]:
            sha, parents, author, at, subject, diff = entry.split("\0", 5)
            commits.append(
                Commit(
                    sha=sha,
                    parents=tuple(parents.split()),
                    author=author,
                    at=datetime.fromtimestamp(min(int(at), LATEST.timestamp()), UTC),
                    subject=subject,
                    diff=diff.lstrip("\n"),
                )
            )
        return tuple(commits)

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
        if name != path or kind != "blob" or mode not in REGULAR:
            return FileText(status="denied", reason=f"{path} is not a regular file")
        if int(size) > MOST_FILE_BYTES:
            return FileText(status="denied", reason=f"{path} is larger than {MOST_FILE_BYTES} bytes")
        content = await self._git("cat-file", "blob", sha)
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            return FileText(status="denied", reason=f"{path} is not text")
        return FileText(status="ok", text=text)

    async def _git(self, *argv: str, most_bytes: int | None = None) -> bytes:
        return await run_git(self._git_dir, *argv, most_bytes=most_bytes)
