"""The noun that a report is written from."""

from pydantic import BaseModel, ConfigDict

from agents.diagnosis import Diagnosis
from agents.evidence import Failing, Manifest
from agents.patch import Patch
from agents.redaction import Redactor
from agents.remarks import Beside, Merging, Tried
from agents.report.convention import PLAIN, Convention
from agents.verification import Verification


class Links(BaseModel):
    """Addresses of pages at the forge, where it has any."""

    model_config = ConfigDict(frozen=True)

    location: str | None = None
    """The line of the cause, at the canary's commit."""
    culprit: str | None = None
    canary: str | None = None
    stable: str | None = None
    patched: str | None = None
    """The commit that the patch was made and tried on."""


class Reviewer(BaseModel):
    """An account or a team (`organisation/team`) that knows the code, and why."""

    model_config = ConfigDict(frozen=True)

    name: str
    why: str


class Story(BaseModel):
    """All that a report tells."""

    model_config = ConfigDict(frozen=True)

    bundle: Manifest
    diagnosis: Diagnosis
    failing: Failing = Failing()
    patch: Patch | None = None
    verification: Verification | None = None
    reasons: tuple[str, ...] = ()
    """Why there is no pull request, the one that counts first."""
    notes: tuple[str, ...] = ()
    """What was not looked at, in the order that matters to the reader."""
    theirs: str | None = None
    """The address of a person's pull request that makes the change already."""
    earlier: tuple[str, ...] = ()
    """The addresses of our own pull requests that were merged and did not last."""
    tried: tuple[Tried, ...] = ()
    """The changes that were refuted before."""
    beside: Beside | None = None
    """The other pull request of the incident."""
    merging: Merging | None = None
    links: Links = Links()
    reviewers: tuple[Reviewer, ...] = ()
    convention: Convention = PLAIN
    """How the repository words the subjects of its commits."""
    scope: str | None = None
    """What the subject of the commit that broke it named as its scope."""

    @property
    def redacted(self) -> "Story":
        """Without secrets in what was not in the bundle: commit subjects, diffs and file names of a repository."""
        return Story.model_validate(Redactor().redact_json(self.model_dump(mode="json", by_alias=True)))
