"""The fake of the `Repository` port: a straight history in memory."""

import difflib
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agents.changes import MOST_MATCHES, Blamed, Commit, FileText, Match, Repository, is_lfs_pointer
from agents.errors import Denied

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
Files = Mapping[str, str]


@dataclass(frozen=True)
class FakeCommit:
    """A commit to be: its subject, the whole tree after it, and the rest of its message."""

    subject: str
    files: Files
    body: str = ""


class FakeRepository:
    """`Repository` with a straight history. `shas` names the commits, oldest first; `main` is the last one."""

    def __init__(self, *history: FakeCommit) -> None:
        self.history: tuple[FakeCommit, ...] = ()
        self.shas: tuple[str, ...] = ()
        self.branches: dict[str, str] = {}
        self.denied: set[str] = set()
        """Methods that are refused, as a repository refuses what is too large to read."""
        for commit in history:
            self.push(commit)

    def _allow(self, method: str) -> None:
        if method in self.denied:
            raise Denied(f"{method} is refused")

    def push(self, commit: FakeCommit) -> str:
        """A commit on top of `main`."""
        sha = hashlib.sha1(f"{len(self.shas)} {commit.subject}".encode(), usedforsecurity=False).hexdigest()
        self.history, self.shas = (*self.history, commit), (*self.shas, sha)
        self.branches["main"] = sha
        return sha

    async def resolve(self, revision: str) -> str:
        self._allow("resolve")
        sha = self.branches.get(revision.removeprefix("refs/heads/"), revision)
        if revision == "HEAD" and self.shas:
            return self.shas[-1]
        found = [one for one in self.shas if one.startswith(sha)] if len(sha) >= 7 else []
        if len(found) != 1:
            raise Denied(f"the revision {revision} is not in the repository")
        return found[0]

    async def message(self, commit: str) -> str:
        self._tree(commit)
        said = self.history[self.shas.index(commit)]
        return f"{said.subject}\n\n{said.body}" if said.body else f"{said.subject}\n"

    async def subjects(self, commit: str, most: int) -> tuple[str, ...]:
        self._tree(commit)
        return tuple(one.subject for one in self.history[self.shas.index(commit) :: -1])[:most]

    async def messages_with(self, old: str, new: str, text: str) -> tuple[str, ...]:
        if not text or "\n" in text:
            raise Denied("what is searched for must be one line, or a part of one")
        messages = [await self.message(commit.sha) for commit in await self.commits(old, new)]
        return tuple(message.strip("\n") for message in messages if text in message)

    async def patch_id(self, diff: str) -> str:
        changed = ["".join(line.split()) for line in diff.splitlines() if line[:1] in {"+", "-"}]
        return hashlib.sha1("\n".join(changed).encode(), usedforsecurity=False).hexdigest() if changed else ""

    async def commits(self, old: str, new: str) -> tuple[Commit, ...]:
        self._allow("commits")
        if old not in self.shas or new not in self.shas:
            raise Denied("a commit is not in the repository")
        first, last = self.shas.index(old), self.shas.index(new)
        return tuple(self._commit(at) for at in range(last, first, -1))

    async def compare(self, old: str, new: str, path: str = "") -> str:
        self._allow("compare")
        before, after = self._tree(old), self._tree(new)
        prefix = f"{path.rstrip('/')}/" if path else ""
        keep = [name for name in {*before, *after} if name == path or name.startswith(prefix)]
        return diff_trees(
            {name: before[name] for name in keep if name in before},
            {name: after[name] for name in keep if name in after},
            context=0,
        )

    async def files(self, commit: str) -> tuple[str, ...]:
        self._allow("files")
        return tuple(sorted(self._tree(commit)))

    async def read(self, commit: str, path: str) -> FileText:
        self._allow("read")
        text = self._tree(commit).get(path)
        if text is None:
            return FileText(status="gone", reason=f"{path} is not in the commit")
        if "\0" in text:
            return FileText(status="denied", reason=f"{path} is not text")
        if is_lfs_pointer(text):
            return FileText(status="denied", reason=f"{path} is kept in Git LFS")
        return FileText(status="ok", text=text)

    async def read_all(self, commit: str, paths: Sequence[str]) -> dict[str, str]:
        found = {path: await self.read(commit, path) for path in paths}
        return {path: file.text for path, file in found.items() if file.status == "ok"}

    async def origins(
        self, commit: str, path: str, spans: Sequence[tuple[int, int]], since: str, ignoring: Sequence[str] = ()
    ) -> dict[int, str]:
        lines: list[str] = []
        wrote: list[int] = []
        for at in range(self.shas.index(commit) + 1):
            text = self.history[at].files.get(path, "")
            new = ["".join(line.split()) for line in text.removesuffix("\n").split("\n")] if text else []
            before, lines, old = lines, new, wrote
            wrote = [at] * len(new)
            for tag, i, j, k, m in difflib.SequenceMatcher(None, before, new, autojunk=False).get_opcodes():
                if tag == "equal" or (self.shas[at] in ignoring and j - i == m - k):
                    wrote[k:m] = old[i:j]
        first = self.shas.index(since)
        return {
            n: self.shas[wrote[n - 1]]
            for start, end in spans
            for n in range(start, min(end, len(lines)) + 1)
            if wrote[n - 1] > first
        }

    async def blame(self, commit: str, path: str, first: int, last: int) -> tuple[Blamed, ...]:
        found = await self.read(commit, path)
        if found.status != "ok":
            raise Denied(found.reason or path)
        lines: list[str] = []
        wrote: list[int] = []
        for at in range(self.shas.index(commit) + 1):
            text = self.history[at].files.get(path, "")
            new = text.removesuffix("\n").split("\n") if text else []
            same = difflib.SequenceMatcher(None, lines, new, autojunk=False).get_matching_blocks()
            kept = {block.b + n: wrote[block.a + n] for block in same for n in range(block.size)}
            lines, wrote = new, [kept.get(n, at) for n in range(len(new))]
        return tuple(
            Blamed(
                line=n,
                commit=self.shas[wrote[n - 1]],
                author="Ana Ruiz",
                subject=self.history[wrote[n - 1]].subject,
                text=lines[n - 1],
            )
            for n in range(first, min(last, len(lines)) + 1)
            if first >= 1
        )

    async def search(self, commit: str, text: str, path: str = "") -> tuple[Match, ...]:
        if not text.strip() or "\n" in text or "\0" in text:
            raise Denied("search for one line, or a part of one")
        tree = {name: content for name, content in self._tree(commit).items() if "\0" not in content}
        below = {name for name in tree if not path or name == path or name.startswith(f"{path.rstrip('/')}/")}
        found = [
            Match(path=name, line=number, text=line)
            for name in sorted(below)
            for number, line in enumerate(tree[name].split("\n"), 1)
            if text in line
        ]
        return tuple(found[:MOST_MATCHES])

    async def mentions(self, commit: str, words: Sequence[str], endings: Sequence[str]) -> tuple[Match, ...]:
        whole = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words) or "(?!)")
        found = [
            Match(path=name, line=number, text=line)
            for name, content in sorted(self._tree(commit).items())
            if name.endswith(tuple(endings)) and "\0" not in content
            for number, line in enumerate(content.split("\n"), 1)
            if whole.search(line)
        ]
        return tuple(found[:MOST_MATCHES])

    def _tree(self, sha: str) -> Files:
        if sha not in self.shas:
            raise Denied(f"{sha} is not in the repository")
        return self.history[self.shas.index(sha)].files

    def _commit(self, at: int) -> Commit:
        before = self.history[at - 1].files if at else {}
        return Commit(
            sha=self.shas[at],
            parents=(self.shas[at - 1],) if at else (),
            author="Ana Ruiz",
            at=START + timedelta(hours=at),
            subject=self.history[at].subject,
            diff=diff_trees(before, self.history[at].files, context=3),
        )


def diff_trees(before: Files, after: Files, context: int) -> str:
    """The unified diff of two trees, as git writes it; of renames it knows those that change nothing else."""
    parts: list[str] = []
    gone = {text: path for path, text in before.items() if path not in after}
    renamed = {gone[text]: path for path, text in after.items() if path not in before and text in gone}
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old == new or path in renamed.values():
            continue
        if path in renamed:
            parts.append(f"diff --git a/{path} b/{renamed[path]}\nsimilarity index 100%\n")
            parts.append(f"rename from {path}\nrename to {renamed[path]}\n")
            continue
        parts.append(f"diff --git a/{path} b/{path}\n")
        if old is None:
            parts.append("new file mode 100644\n")
        if new is None:
            parts.append("deleted file mode 100644\n")
        names = ("/dev/null" if old is None else f"a/{path}", "/dev/null" if new is None else f"b/{path}")
        lines = difflib.unified_diff(
            re.findall(r"[^\n]*\n|[^\n]+", old or ""), re.findall(r"[^\n]*\n|[^\n]+", new or ""), *names, n=context
        )
        parts += [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines]
    return "".join(parts)


class FakeRepositories:
    """`Repositories` by URL; a URL that is not there is denied."""

    def __init__(self, repositories: Mapping[str, Repository]) -> None:
        self._repositories = dict(repositories)

    async def open(self, url: str) -> Repository:
        if url not in self._repositories:
            raise Denied(f"{url} cannot be read")
        return self._repositories[url]
