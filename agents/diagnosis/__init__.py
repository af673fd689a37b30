"""The Diagnosis noun and the rules that make one."""

from agents.diagnosis.nouns import (
    BLAMED_IN_VAIN,
    Category,
    Claim,
    Confidence,
    Diagnosis,
    Location,
    RepositoryName,
    doubt,
    public,
    settle,
)
from agents.diagnosis.rules import diagnose

__all__ = [
    "BLAMED_IN_VAIN",
    "Category",
    "Claim",
    "Confidence",
    "Diagnosis",
    "Location",
    "RepositoryName",
    "diagnose",
    "doubt",
    "public",
    "settle",
]
