"""The loop with a model, cut off and taken up again from its checkpoints on disk."""

import sqlite3
from collections.abc import Mapping
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from agents.incident import State
from agents.pull_request import Proposed
from app.adapters.llm import ChatModels
from app.jobs import Healer, open_saver
from tests.fake_models import PLENTY
from tests.fakes import FakeJournal
from tests.model_server import call, model_server
from tests.playing import DONE, conclusion, edit
from tests.scene import FIX, LOG, Scene


class PowerCut(BaseException):
    """The process ends here."""


class CutJournal(FakeJournal):
    """Ends the process once, when a stage is entered or its findings are kept."""

    cut: tuple[str, State] | None = None

    async def enter(self, attempt_id: str, stage: State) -> None:
        await super().enter(attempt_id, stage)
        self._maybe("enter")

    async def record(self, attempt_id: str, documents: Mapping[str, dict[str, Any]]) -> None:
        await super().record(attempt_id, documents)
        self._maybe("record")

    def _maybe(self, what: str) -> None:
        if self.cut == (what, self.stages[-1]):
            self.cut = None
            raise PowerCut


@pytest.mark.parametrize(
    ("cut", "calls"),
    [
        (("enter", State.FIXING), 4),
        (("enter", State.VERIFYING), 4),
        (("enter", State.PUBLISHING), 4),
        (("record", State.DIAGNOSING), 6),
        (("record", State.FIXING), 6),
    ],
)
async def test_what_was_finished_is_not_asked_again(tmp_path: Path, cut: tuple[str, State], calls: int) -> None:
    """A stage that was cut is run again from its start; one that was finished is not, and costs nothing more."""
    scene = Scene()
    scene.journal = CutJournal({"attempt": scene.bundle})
    scene.journal.cut = cut
    look, diagnosis = call("read_evidence", item=LOG), conclusion(scene)
    again = {State.DIAGNOSING: (look, diagnosis), State.FIXING: (edit(*FIX), DONE)}
    steps = [look, diagnosis, *(again[State.DIAGNOSING] if cut == ("record", State.DIAGNOSING) else ())]
    steps += [edit(*FIX), DONE, *(again[State.FIXING] if cut == ("record", State.FIXING) else ())]
    async with AsyncExitStack() as stack:
        server = stack.enter_context(model_server(*steps))
        models = ChatModels("test-model", server.url, None, PLENTY)
        stack.push_async_callback(models.close)
        saver = await open_saver(tmp_path / "checkpoints.sqlite")
        stack.push_async_callback(saver.conn.close)
        healer = Healer(scene.ports(models), saver)
        with pytest.raises(PowerCut):
            await healer.run("attempt")
        await healer.run("attempt")
    assert isinstance(scene.journal.outcome, Proposed)
    assert len(server.bodies) == calls
    assert len(scene.forge.pull_requests(scene.url)) == 1
    assert scene.journal.documents["cost"]["calls"] == 4


async def test_no_conversation_is_in_the_checkpoints(tmp_path: Path) -> None:
    """They hold what the stages leave, as plain data; not what was said to a model, and no class of ours."""
    scene = Scene()
    async with AsyncExitStack() as stack:
        server = stack.enter_context(model_server(call("read_evidence", item=LOG), conclusion(scene), edit(*FIX), DONE))
        models = ChatModels("test-model", server.url, None, PLENTY)
        stack.push_async_callback(models.close)
        saver = await open_saver(tmp_path / "checkpoints.sqlite")
        stack.push_async_callback(saver.conn.close)
        await Healer(scene.ports(models), saver).run("attempt")
    with closing(sqlite3.connect(tmp_path / "checkpoints.sqlite")) as file:
        rows = [*file.execute("SELECT * FROM checkpoints"), *file.execute("SELECT * FROM writes")]
    dump = "\n".join(str(row) for row in rows)
    assert "rate_for refuses regions" in dump
    for word in ("You investigate why", "You repair a program", "read_evidence", "AIMessage", "Conclusion"):
        assert word not in dump
