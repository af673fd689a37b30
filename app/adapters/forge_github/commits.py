"""A commit by GitHub's Git Data API: blobs, a tree on the parent's tree, and the commit.

Author and committer are left to GitHub, which then signs the commit in the name of the App and shows it as verified;
naming them would forfeit that, and many branch rules ask for it. So, unlike the local forge's, a repeated commit has
another date and sha: `ensure` finds what is there by the trailers in its message.
"""

import base64
from functools import partial

from github import UnknownObjectException
from github.GitTreeElement import GitTreeElement
from github.InputGitTreeElement import InputGitTreeElement
from github.Repository import Repository

from agents.errors import Denied
from agents.patch import FileChange

REGULAR, EXECUTABLE, LINK, SUBMODULE, FOLDER = "100644", "100755", "120000", "160000", "040000"
WORKFLOWS = ".github/workflows/"
HIDDEN = "GitHub asks for the permission `workflows`, which this service does not ask for"
"""What it means when GitHub finds nothing on making a tree with workflows in it."""
NOT_A_FILE = {LINK: "a link", SUBMODULE: "a submodule", FOLDER: "a folder"}


def create_commit(parent: str, changes: tuple[FileChange, ...], message: str, repository: Repository) -> str:
    """Store the commit, reachable from no branch; `Denied` for a change of anything but a regular file."""
    base = repository.get_git_commit(parent)
    trees = _Trees(repository, base.tree.sha)
    elements = [element for change in changes if (element := _element(change, trees, repository)) is not None]
    try:
        tree = repository.create_git_tree(elements, base.tree) if elements else base.tree
    except UnknownObjectException as error:
        hidden = [change.path for change in changes if change.path.startswith(WORKFLOWS)]
        if not hidden:
            raise
        raise Denied(f"{', '.join(hidden)}: {HIDDEN}") from error
    return repository.create_git_commit(message, tree, [base]).sha


def _element(change: FileChange, trees: "_Trees", repository: Repository) -> InputGitTreeElement | None:
    """The tree's line for a change, with the mode that the path has; None where there is nothing to take away."""
    mode = trees.mode(change.path)
    if mode is not None and mode not in {REGULAR, EXECUTABLE}:
        raise Denied(f"{change.path} is {NOT_A_FILE.get(mode, f'of mode {mode}')}, not a file")
    line = partial(InputGitTreeElement, change.path, mode or REGULAR, "blob")
    if change.after is None:
        return None if mode is None else line(sha=None)
    # base64: what JSON or its readers could make of odd characters does not matter
    blob = repository.create_git_blob(base64.b64encode(_encoded(change.path, change.after)).decode(), "base64")
    return line(sha=blob.sha)


def _encoded(path: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Denied(f"{path}: the text is not Unicode ({error.reason})") from error


class _Trees:
    """The parent's tree, read folder by folder: a recursive listing is cut for large repositories."""

    def __init__(self, repository: Repository, root: str) -> None:
        self._repository = repository
        self._root = root
        self._read: dict[str, dict[str, GitTreeElement]] = {}

    def mode(self, path: str) -> str | None:
        """The mode of a path, None where nothing is there; `Denied` where the way to it is not a folder."""
        *folders, name = path.split("/")
        tree = self._root
        for depth, folder in enumerate(folders):
            entry = self._entries(tree).get(folder)
            if entry is None:
                return None
            if entry.mode != FOLDER:
                above = "/".join(folders[: depth + 1])
                raise Denied(f"{path}: {above} is {NOT_A_FILE.get(entry.mode, 'a file')}, not a folder")
            tree = entry.sha
        found = self._entries(tree).get(name)
        return None if found is None else found.mode

    def _entries(self, tree: str) -> dict[str, GitTreeElement]:
        if tree not in self._read:
            listed = self._repository.get_git_tree(tree)
            if listed.raw_data.get("truncated"):
                raise Denied("a folder of the repository has more entries than GitHub lists")
            self._read[tree] = {entry.path: entry for entry in listed.tree}
        return self._read[tree]
