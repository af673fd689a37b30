"""Tools over the repositories, which are only read: files, commits and blame at the two revisions."""

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from agents.diagnosis import RepositoryName
from agents.errors import Denied
from agents.policy import is_inside
from agents.tools.differences import Renamed, difference, files_of
from agents.tools.reply import Reply, listing, page, refused
from agents.tools.sources import Place, Sources, VersionName
from prompts import plain

Which = Annotated[RepositoryName, Field(description="The program's source, or the manifests that deploy it")]
Version = Annotated[VersionName, Field(description="At which version's commit")]
FilePath = Annotated[str, Field(max_length=400, description="Path from the repository's root")]
Below = Annotated[str, Field(max_length=400, description="Only this file or folder; empty for all")]
FirstLine = Annotated[int, Field(ge=1, description="Line to begin with, from 1")]
Lines = Annotated[int, Field(ge=1, le=200, description="How many lines")]
CommitId = Annotated[str, Field(pattern=r"^[0-9a-f]{7,40}$", description="A commit's id, as list_commits gives it")]
MOST_FILES_SHOWN = 40

Written = Callable[[Place, str], str | None]
"""The text of a file as it has been changed so far; None where it has not been."""


class RepositoryTools:
    """The tools' functions; each public method is one tool, and its docstring what the model is told of it."""

    def __init__(self, sources: Sources, written: Written | None = None) -> None:
        self._sources = sources
        self._written = written

    async def list_files(self, folder: Below = "", repository: Which = "source", version: Version = "canary") -> str:
        """List the files of a folder, with all below it."""
        place, below = self._sources.place(repository), _below(folder)
        prefix = f"{below}/" if below else ""
        names = [name for name in await place.repository.files(place.revision(version)) if name.startswith(prefix)]
        return listing(names, f"{repository} at {version}", "files", "name a folder to see less").render()

    async def read_file(
        self,
        path: FilePath,
        first_line: FirstLine = 1,
        lines: Lines = 120,
        repository: Which = "source",
        version: Version = "canary",
    ) -> str:
        """Read a file at one version, page by page. The line numbers are not part of the file."""
        place, path = self._sources.place(repository), checked_path(path)
        text = self._written(place, path) if self._written and version == "canary" else None
        if text is None:
            found = await place.repository.read(place.revision(version), path)
            if found.status != "ok":
                return refused(found.status, found.reason or "it cannot be read").render()
            text = found.text
        if not text:
            return Reply(status="empty", note="the file is empty").render()
        source = f"{path} of {repository} at {version}"
        return page(self._sources.clean_lines(text), first_line, lines, source, "read_file").render()

    async def search_files(
        self,
        text: Annotated[str, Field(max_length=200, description="Taken literally; upper and lower case differ")],
        path: Below = "",
        repository: Which = "source",
        version: Version = "canary",
    ) -> str:
        """Find the lines of files that hold a text."""
        place = self._sources.place(repository)
        commit = place.revision(version)
        found = await place.repository.search(commit, plain(text), _below(path))
        shown = list(dict.fromkeys(match.path for match in found))[:MOST_FILES_SHOWN]
        lines = {name: await self._lines(place, commit, name) for name in shown}
        rows = [f"{one.path}:{one.line}| {_at(lines[one.path], one.line)}" for one in found if one.path in lines]
        return listing(rows, f"{repository} at {version}", "matching lines", "name a path to see less").render()

    async def list_commits(self, repository: Which = "source") -> str:
        """List the commits between the stable and the canary version, newest first."""
        place = self._sources.place(repository)
        place.revision("stable")
        rows = [
            self._sources.redactor.redact_text(f"{commit.sha} {commit.at:%Y-%m-%d} {commit.author}: {commit.subject}")
            for commit in await place.commits()
        ]
        return listing(rows, f"commits of {repository}", "commits", "the oldest are left out").render()

    async def show_commit(
        self, commit: CommitId, path: Below = "", first_line: FirstLine = 1, repository: Which = "source"
    ) -> str:
        """Show what one of the commits between the versions changed, as a diff, page by page."""
        place = self._sources.place(repository)
        found = [one for one in await place.commits() if one.sha.startswith(commit)]
        if len(found) != 1:
            return refused("gone", f"{commit} is not one commit between the versions; see list_commits").render()
        one = found[0]
        old = one.parents[0] if one.parents else None
        diff = await self._difference(place, old, one.sha, files_of(one.diff, _below(path)))
        return _shown(diff, first_line, f"commit {one.sha}", "show_commit")

    async def compare_file(self, path: Below = "", first_line: FirstLine = 1, repository: Which = "source") -> str:
        """Show the whole difference of a file or folder between the stable and the canary version, as a diff."""
        place, below = self._sources.place(repository), _below(path)
        old, new = place.revision("stable"), place.revision("canary")
        diff = await self._difference(place, old, new, files_of(await place.repository.compare(old, new, below)))
        return _shown(diff, first_line, f"{below or 'all'} of {repository}, stable to canary", "compare_file")

    async def blame(
        self,
        path: FilePath,
        first_line: FirstLine,
        last_line: FirstLine,
        repository: Which = "source",
        version: Version = "canary",
    ) -> str:
        """Show which commit wrote each of some lines (at most 200)."""
        place, path = self._sources.place(repository), checked_path(path)
        commit = place.revision(version)
        found = await place.repository.blame(commit, path, first_line, min(last_line, first_line + 199))
        lines = await self._lines(place, commit, path)
        subjects = [self._sources.redactor.redact_text(one.subject) for one in found]
        rows = [
            f"{one.line:>5} {one.commit} ({subject})| {_at(lines, one.line)}"
            for one, subject in zip(found, subjects, strict=True)
        ]
        return listing(rows, f"{path} of {repository} at {version}", "lines", "ask for fewer lines").render()

    async def _difference(self, place: Place, old: str | None, new: str, files: list[Renamed]) -> str:
        return await difference(place.repository, old, new, files, self._sources.redactor)

    async def _lines(self, place: Place, commit: str, path: str) -> list[str]:
        found = await place.repository.read(commit, path)
        return self._sources.clean_lines(found.text) if found.status == "ok" else []


def checked_path(path: str) -> str:
    """A path that a model named, in its plain spelling; `Denied` where it is none inside the repository."""
    path = plain(path).strip().removeprefix("./")
    if not is_inside(path):
        raise Denied(f"{path!r} is not a path inside the repository")
    return path


def _below(path: str) -> str:
    """A folder or file that a model named; empty for the whole repository."""
    return checked_path(path.strip().rstrip("/")) if path.strip() not in {"", ".", "/", "./"} else ""


def _at(lines: list[str], number: int) -> str:
    return lines[number - 1] if number <= len(lines) else "(the file is not shown)"


def _shown(diff: str, first: int, source: str, tool: str) -> str:
    if not diff.strip():
        return Reply(status="empty", source=source, note="no difference").render()
    return page(diff.removesuffix("\n").split("\n"), first, 200, source, tool).render()
