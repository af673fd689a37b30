"""What a model is asked for in the fixing stage, and what comes of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from agents.budget import Cost
from agents.patch import Patch

MOST_DRAFTS = 3
"""Patches of a model that are verified for one attempt, before the rules have their turn."""


class Draft(BaseModel):
    """What came of asking: a patch, or a note that says why there is none; and what the attempt has cost so far."""

    model_config = ConfigDict(frozen=True)

    patch: Patch | None
    note: str | None
    cost: Cost


@dataclass(frozen=True)
class Guard:
    """The policy on a model's diff, asked before anything is run."""

    path: Callable[[str], str | None]
    diff: Callable[[Patch], Iterable[str]]
