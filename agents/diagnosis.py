"""The Diagnosis noun: what failed, where, by which commit, and the evidence for each claim.

Its JSON form is the interface of `selfheal diagnose` (DESIGN section 8); unknown is None, never a guess.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from agents.evidence import Citation

Category = Literal["code", "config", "analysis", "infrastructure", "unknown"]
Confidence = Literal["high", "medium", "low"]


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
    claims: tuple[Claim, ...]
    strategy: str | None
    """The strategy that is tried first; None where nothing in Git would help."""
