"""Many rollouts that fail within seconds."""

from pathlib import Path

from tests.replay.recording import load, renamed
from tests.replay.service import running, serving, until

ROLLOUTS, SECONDS = 40, 2.0
MOST_CALLS = 35
"""API requests that one incident costs at most; it is about 22, and 4 of the recorder."""


async def test_all_are_captured_with_few_calls_each_and_no_watch_is_lost(tmp_path: Path) -> None:
    recording = load("03")
    many = [renamed(recording, f"shop-{at}", at * SECONDS / ROLLOUTS) for at in range(ROLLOUTS)]
    async with serving(tmp_path, *many) as service:
        before = service.live.calls
        async with running(service):
            service.server.begin()
            await until(lambda: len(service.queue.entries) == ROLLOUTS, 30)
            assert service.reconciler.listeners[0].heard.watches == 1
        calls = (service.live.calls - before) / ROLLOUTS
        for one in many:
            bundle = await service.sealed(one)
            assert bundle is not None
            assert any("index out of range" in bundle.contents[item.id] for item in bundle.logs("canary"))
    assert calls < MOST_CALLS
