"""What the pipeline needs of the world, in one noun, and the journal that it keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from agents.audit import Trail
from agents.budget import Models
from agents.changes import Repositories
from agents.evidence import Bundle, Registry
from agents.incident import State as Stage
from agents.outcome import Outcome
from agents.policy import Policy
from agents.pull_request import Forge, Turns
from agents.verification import Dependencies, Sandbox, Workspace


class Journal(Trail, Protocol):
    """Where an attempt's evidence lies, and its progress and side effects are kept for people to see."""

    async def bundle(self, attempt_id: str) -> Bundle:
        """The attempt's sealed evidence."""
        ...

    async def identified(self, attempt_id: str, bundle: Bundle) -> None:
        """Keep what was found out about the bundle's versions, and the items that were added for it."""
        ...

    async def enter(self, attempt_id: str, stage: Stage) -> None:
        """Note that a stage has begun; again is fine."""
        ...

    async def record(self, attempt_id: str, documents: Mapping[str, dict[str, Any]]) -> None:
        """Keep what a stage found out, under `diagnosis`, `patch`, `verification` or `cost`."""
        ...

    async def finish(self, attempt_id: str, outcome: Outcome) -> None:
        """Keep the outcome and enter the state it ends in."""
        ...


@dataclass(frozen=True)
class Ports:
    """Everything the stages need of the world."""

    journal: Journal
    repositories: Repositories
    forge: Forge
    sandbox: Sandbox
    workspace: Workspace
    policy: Policy
    models: Models | None = None
    """Without a model, the rules diagnose and fix alone."""
    dependencies: Dependencies | None = None
    """None where no packages are fetched."""
    registry: Registry | None = None
    """None where no container registry may be asked."""
    turns: Turns = field(default_factory=Turns)
