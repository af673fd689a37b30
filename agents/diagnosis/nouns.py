"""The Diagnosis noun. Unknown is None, never a guess; `public` is what `selfheal diagnose` prints (DESIGN 8)."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from agents.evidence import Citation
from agents.suspects import Suspect

Category = Literal["code", "config", "analysis", "infrastructure", "unknown"]
Confidence = Literal["high", "medium", "low"]
RepositoryName = Literal["source", "manifests"]
BLAMED_IN_VAIN = "no change of what the model blames removes the failure"
REFUTED = "taking back what is blamed here did not remove the failure, so it may be innocent"


class Location(BaseModel):
    """Where the cause stands, relative to the repository root at the canary commit; `line` counts from 1."""

    model_config = ConfigDict(frozen=True)

    file: str
    line: int | None = None
    function: str | None = None


class Claim(BaseModel):
    """One sentence and the places in the bundle that show it."""

    model_config = ConfigDict(frozen=True)

    text: str
    evidence: tuple[Citation, ...]


class Diagnosis(BaseModel):
    """The answer of the diagnosing stage."""

    model_config = ConfigDict(frozen=True)

    category: Category
    summary: str
    confidence: Confidence
    location: Location | None
    culprit_commit: str | None
    suspects: tuple[Suspect, ...]
    claims: tuple[Claim, ...]
    strategy: str | None
    """The strategy that is tried first; None where nothing in Git would help."""
    repository: RepositoryName | None = None
    """Which repository `location` is a path of."""
    failure: str = ""
    """What was seen, without its cause."""
    by: Literal["rules", "model"] = "rules"
    notes: tuple[str, ...] = ()
    """What the reader should know about how it came about."""


def public(diagnosis: Diagnosis) -> dict[str, Any]:
    """The document that callers read: exactly the keys of DESIGN section 8."""
    document = diagnosis.model_dump(mode="json", exclude={"repository", "failure", "by", "notes"})
    for suspect in document["suspects"]:
        del suspect["repository"], suspect["is_direct"]
    return document


def settle(diagnosis: Diagnosis, proven: str) -> Diagnosis:
    """The diagnosis after the verification: taking back the commit `proven` removed the failure.

    Where that is not the commit that was blamed, the suspect it belongs to takes the blame over.
    """
    blamed = diagnosis.culprit_commit
    suspect = next((one for one in diagnosis.suspects if one.commit == proven), None)
    if blamed == proven or suspect is None:
        return diagnosis
    without = f"; taking back {blamed[:12]} did not" if blamed else ""
    why = f"{suspect.why}, and taking it back removes the failure{without}"
    return diagnosis.model_copy(
        update={
            "summary": f"{diagnosis.failure}; commit {proven[:12]}: {why}",
            "location": Location(file=suspect.file, line=suspect.line, function=suspect.function),
            "culprit_commit": proven,
            "confidence": "high",
            "by": "rules",
            "notes": (*diagnosis.notes, *((BLAMED_IN_VAIN,) if diagnosis.by == "model" else ())),
        }
    )


def doubt(diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis after what it blames was taken back and the failure was still there; again changes nothing."""
    notes = diagnosis.notes if REFUTED in diagnosis.notes else (*diagnosis.notes, REFUTED)
    return diagnosis.model_copy(update={"confidence": "low", "notes": notes})
