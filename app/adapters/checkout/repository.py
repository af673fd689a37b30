"""`agents.changes.Repository` on a git directory, which is only read."""

from datetime import datetime
from pathlib import Path

from agents.changes import Commit, FileText
from agents.errors import Denied, Invalid
from app.adapters.checkout.git import full_sha, run_git

MOST_COMMITS = 500
MOST_DIFF_BYTES = 16 * 1024 * 1024
MOST_FILE_BYTES = 1024 * 1024
MOST_MESSAGE_BYTES = 64 * 1024
DIFF = (
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--diff-algorithm=histogram",
)
FIELDS = "%H%x00%P%x00%an%x00%cI%x00%s"
REGULAR = {"100644", "100755"}


class GitRepository:
    """A bare repository, or the `.git` of a work tree."""

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir

    @classmethod
    async def at(cls, folder: Path) -> "GitRepository":
        """The repository of a folder that a person named, bare or not; `Invalid` if there is none."""
        for candidate in (folder / ".git", folder):
            if (candidate / "HEAD").is_file() and (candidate / "objects").is_dir():
                return cls(candidate.resolve())
        if (folder / ".git").is_file():
            pointer = (folder / ".git").read_text(encoding="utf-8").removeprefix("gitdir:").strip()
            if ((folder / pointer) / "HEAD").is_file():
                return cls((folder / pointer).resolve())
        raise Invalid(f"{folder} is not a git repository")

    async def resolve(self, revision: str) -> str:
        if not revision or revision.startswith("-"):
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
        form = (f"--max-count={MOST_COMMITS}", f"--format=%x01{FIELDS}%x00", "--diff-merges=first-parent", "-p", "-M")
        span = f"{full_sha(old)}..{full_sha(new)}"
        out = await self._git("log", "--topo-order", *form, *DIFF, "--end-of-options", span)
        if len(out) > MOST_DIFF_BYTES:
            raise Denied(f"the changes between the two versions are larger than {MOST_DIFF_BYTES} bytes")
        commits = []
        for entry in out.decode("utf-8", "replace").split("\x01")[1:]:
            sha, parents, author, at, subject, diff = entry.split("\0", 5)
            commits.append(
                Commit(
                    sha=sha,
                    parents=tuple(parents.split()),
                    author=author,
                    at=datetime.fromisoformat(at),
                    subject=subject,
                    diff=diff.lstrip("\n"),
                )
            )
        return tuple(commits)

    async def compare(self, old: str, new: str, path: str = "") -> str:
        limit = ("--", f":(literal,top){path}") if path else ()
        out = await self._git("diff", "-U0", *DIFF, "--end-of-options", full_sha(old), full_sha(new), *limit)
        return out[:MOST_DIFF_BYTES].decode("utf-8", "replace")

    async def files(self, commit: str) -> tuple[str, ...]:
        out = await self._git("ls-tree", "-r", "-z", "--name-only", "--full-tree", "--end-of-options", full_sha(commit))
        return tuple(name for name in out.decode("utf-8", "replace").split("\0") if name)

    async def read(self, commit: str, path: str) -> FileText:
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

    async def _git(self, *argv: str) -> bytes:
        return await run_git(self._git_dir, *argv)
