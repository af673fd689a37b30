"""What the tools look at: one attempt's evidence, and its repositories at both revisions."""

import difflib
from dataclasses import dataclass
from typing import Literal

from agents.changes import Commit, Repository
from agents.diagnosis import RepositoryName
from agents.errors import Denied
from agents.evidence import Bundle, ManifestSource
from agents.redaction import PLACEHOLDER, Redactor

VersionName = Literal["stable", "canary"]


WITHHELD = "[more of a secret]"


@dataclass
class Place:
    """A repository and the two commits that are compared: 40 hex digits each, or None where one is not known."""

    repository: Repository
    stable: str | None
    canary: str
    origin: ManifestSource | None = None
    """For the manifests: where they lie in it."""
    _commits: tuple[Commit, ...] | None = None

    async def commits(self) -> tuple[Commit, ...]:
        """Between the two, newest first; read once."""
        if self._commits is None:
            known = self.stable is not None and self.stable != self.canary
            self._commits = await self.repository.commits(self.stable, self.canary) if known and self.stable else ()
        return self._commits

    def revision(self, version: VersionName) -> str:
        """`Denied` where it is not known."""
        commit = self.canary if version == "canary" else self.stable
        if commit is None:
            raise Denied(f"the revision of the {version} version is not known")
        return commit


class Screen(Redactor):
    """Hides a secret that it has seen once wherever it stands: an edit may have taken away what names it one."""

    def redact_text(self, text: str) -> str:
        return self.redact_known(super().redact_text(text))


@dataclass(frozen=True)
class Sources:
    """Everything of one attempt that a model may see; what is read of repositories passes `redactor` first."""

    bundle: Bundle
    source: Place | None
    manifests: Place | None
    redactor: Screen

    def place(self, name: RepositoryName) -> Place:
        """`Denied` where it is not known, or the policy does not allow it."""
        found = self.source if name == "source" else self.manifests
        if found is None:
            raise Denied(f"the {name} repository is not at hand")
        return found

    def places(self) -> dict[RepositoryName, Place]:
        """Those that are at hand."""
        found: dict[RepositoryName, Place] = {}
        if self.source is not None:
            found["source"] = self.source
        if self.manifests is not None:
            found["manifests"] = self.manifests
        return found

    def clean_lines(self, text: str) -> list[str]:
        """The lines of a whole file without its secrets, one for each of its lines, so that their numbers agree.

        Always of the whole file: what makes a line a secret may stand on the one before.
        """
        lines = text.removesuffix("\n").split("\n")
        clean = self.redactor.redact_text(text).removesuffix("\n").split("\n")
        if len(lines) == len(clean):
            return clean
        kept: list[str] = []
        for _, start, end, first, last in difflib.SequenceMatcher(None, lines, clean, autojunk=False).get_opcodes():
            kept += [*clean[first:last], *[WITHHELD] * (end - start)][: end - start]
        return kept


def sources_of(bundle: Bundle, source: Place | None, manifests: Place | None) -> Sources:
    """The sources, whose placeholders never have a number that the bundle's have."""
    redactor = Screen()
    for text in bundle.contents.values():
        redactor.redact_text(" ".join(match.group() for match in PLACEHOLDER.finditer(text)))
    return Sources(bundle=bundle, source=source, manifests=manifests, redactor=redactor)


async def open_place(
    repository: Repository | None, stable: str | None, canary: str | None, origin: ManifestSource | None = None
) -> Place | None:
    """The place, None where the canary's commit is not in the repository."""
    if repository is None or canary is None:
        return None
    try:
        commit = await repository.resolve(canary)
    except Denied:
        return None
    try:
        base = await repository.resolve(stable) if stable is not None else None
    except Denied:
        base = None
    return Place(repository=repository, stable=base, canary=commit, origin=origin)
