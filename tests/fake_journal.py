"""The fake of the `Journal` port; imported through `tests.fakes`."""

from collections.abc import Mapping
from typing import Any

from agents.audit import Act
from agents.evidence import Bundle
from agents.graph import Journal
from agents.incident import State
from agents.outcome import Outcome, final_state


class FakeJournal:
    """`Journal` that remembers everything it is told."""

    def __init__(self, bundles: Mapping[str, Bundle]) -> None:
        self._bundles = dict(bundles)
        self.stages: list[State] = []
        self.documents: dict[str, Any] = {}
        self.outcome: Outcome | None = None
        self.acts: list[Act] = []

    async def bundle(self, attempt_id: str) -> Bundle:
        if attempt_id not in self._bundles:
            raise LookupError(f"attempt {attempt_id} has no sealed bundle")
        return self._bundles[attempt_id]

    async def identified(self, attempt_id: str, bundle: Bundle) -> None:
        self._bundles[attempt_id] = bundle

    async def enter(self, attempt_id: str, stage: State) -> None:
        del attempt_id
        self.stages.append(stage)

    async def record(self, attempt_id: str, documents: Mapping[str, dict[str, Any]]) -> None:
        del attempt_id
        self.documents.update(documents)

    async def note(self, attempt_id: str, act: Act) -> None:
        self._bundles[attempt_id]
        self.acts.append(act)

    async def finish(self, attempt_id: str, outcome: Outcome) -> None:
        del attempt_id
        self.stages.append(final_state(outcome)[0])
        self.outcome = outcome


_journal: Journal = FakeJournal({})
