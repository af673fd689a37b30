"""A real bare git repository, written commit by commit with git's plumbing, so that every name and mode is possible."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

REGULAR, EXECUTABLE, LINK, SUBMODULE = "100644", "100755", "120000", "160000"
ABSENT = "0" * 40
WHO = {
    "GIT_AUTHOR_NAME": "Ana Ruiz",
    "GIT_AUTHOR_EMAIL": "ana@acme.example",
    "GIT_COMMITTER_NAME": "Ana Ruiz",
    "GIT_COMMITTER_EMAIL": "ana@acme.example",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "PATH": os.defpath,
}


class Scratch:
    """The repository at `path`, which is made with one branch `main` where there is none yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shas: list[str] = []
        if not (path / "HEAD").is_file():
            path.mkdir(parents=True)
            self.git("init", "--quiet", "--bare", "--initial-branch=main")

    @property
    def url(self) -> str:
        return self.path.as_uri()

    def commit(
        self,
        subject: str,
        files: Mapping[str, str | bytes | None],
        modes: Mapping[str, str] | None = None,
        branch: str = "main",
    ) -> str:
        """Commit `files` on top of the branch; None deletes. `modes` sets modes other than the present ones."""
        before = self.listed(branch)
        entries = b""
        for name in {**files, **(modes or {})}:
            content = files.get(name, b"")
            if name in files and content is None:
                entries += f"0 {ABSENT}\t{name}\0".encode()
                continue
            mode = (modes or {}).get(name) or before.get(name, (REGULAR, ""))[0]
            if mode == SUBMODULE:
                sha = "1" * 40
            elif name in files:
                raw = content.encode() if isinstance(content, str) else bytes(content or b"")
                sha = self.git("hash-object", "-w", "--stdin", stdin=raw)
            else:
                sha = before[name][1]
            entries += f"{mode} {sha}\t{name}\0".encode()
        parent = self.tip(branch)
        self.git("read-tree", *([parent] if parent else ["--empty"]))
        self.git("update-index", "-z", "--add", "--replace", "--index-info", stdin=entries)
        return self.commit_tree(self.git("write-tree"), subject, branch)

    def commit_tree(self, tree: str, subject: str, branch: str = "main") -> str:
        parent = self.tip(branch)
        sha = self.git(
            "commit-tree", tree, *(["-p", parent] if parent else []), "-m", subject, at=1_790_000_000 + len(self.shas)
        )
        self.git("update-ref", f"refs/heads/{branch}", sha)
        self.shas.append(sha)
        return sha

    def tip(self, branch: str = "main") -> str | None:
        return self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}") or None

    def branches(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()

    def listed(self, revision: str) -> dict[str, tuple[str, str]]:
        """Path -> (mode, sha) of every file at a revision."""
        if self.tip(revision) is None and revision not in self.shas:
            return {}
        found: dict[str, tuple[str, str]] = {}
        for line in self.git("ls-tree", "-r", "-z", "--full-tree", revision).split("\0"):
            about, tab, name = line.partition("\t")
            if tab:
                mode, _, sha = about.split()
                found[name] = (mode, sha)
        return found

    def text(self, revision: str, path: str) -> str:
        return self.run("cat-file", "blob", f"{revision}:{path}").decode()

    def git(self, *argv: str, stdin: bytes = b"", at: int = 1_790_000_000) -> str:
        return self.run(*argv, stdin=stdin, at=at).decode("utf-8", "surrogateescape").strip("\n")

    def run(self, *argv: str, stdin: bytes = b"", at: int = 1_790_000_000) -> bytes:
        when = f"{at} +0000"
        env = {**WHO, "GIT_DIR": str(self.path), "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        return subprocess.run(["git", *argv], input=stdin, env=env, capture_output=True, check=True).stdout
