"""Failures that no notification named, on a cluster that replays them."""

import asyncio
from pathlib import Path

import pytest

from agents.incident import State
from app.clock import utc_now
from app.store import incidents
from tests.contract.test_live_cluster import Answering, refusal
from tests.replay.recording import load, renamed
from tests.replay.service import running, serving, until, webhooks


@pytest.mark.parametrize(
    ("number", "evidence"),
    [
        ("01", "KeyError: 'currency'"),  # its three notifications are lost
        ("04", "QUEUE_ADDR"),  # crash loops, is not aborted, emits no event
        ("12", "GET"),  # pauses as inconclusive
        ("23", "KeyError: 'currency'"),  # the receiver was down until the pods were gone
    ],
)
async def test_a_failure_that_nobody_notified_is_an_incident_within_five_seconds_of_its_status(
    number: str, evidence: str, tmp_path: Path
) -> None:
    recording = load(number)
    async with serving(tmp_path, recording) as service, running(service):
        service.server.begin(ago=-0.5)
        await until(lambda: service.attempts(recording), 5.5)
        await until(lambda: service.sealed(recording))
        bundle = await service.sealed(recording)
        assert bundle is not None
        assert any(evidence in bundle.contents[item.id] for item in bundle.logs("canary"))
        await until(lambda: service.queue.entries)  # handing it over is the step after sealing it


@pytest.mark.parametrize("number", ["29"])
async def test_a_first_deployment_that_fails_is_none(number: str, tmp_path: Path) -> None:
    recording = load(number)
    async with serving(tmp_path, recording) as service, running(service):
        service.server.begin(ago=1)
        await until(lambda: service.reconciler.listeners[0].heard.watches)
        await asyncio.sleep(0.1)
        assert not service.queue.entries


@pytest.mark.parametrize("number", ["01", "04", "13", "17a", "27"])
async def test_with_the_notifications_it_is_still_one_attempt(number: str, tmp_path: Path) -> None:
    recording = load(number)
    async with serving(tmp_path, recording) as service, running(service):
        service.server.begin()
        for raw in webhooks(recording):
            await service.notify(raw)
        await until(lambda: service.sealed(recording))
        await asyncio.sleep(0.3)
        assert len(await service.attempts(recording)) == 1
        assert len(service.queue.entries) == 1


async def test_a_watch_whose_version_is_gone_begins_again_with_a_list(tmp_path: Path) -> None:
    recording = load("01")
    async with serving(tmp_path, recording) as service, running(service):
        heard = service.reconciler.listeners[0].heard
        service.server.oldest_version = 10**9
        await until(lambda: heard.expired >= 1)
        service.server.begin()
        await until(lambda: service.attempts(recording))
        assert heard.lists >= 2


async def test_without_the_right_to_watch_lists_alone_find_it(tmp_path: Path) -> None:
    recording = load("01")
    async with serving(tmp_path, recording) as service:
        service.server.denied.add(("watch", "rollouts"))
        async with running(service):
            await until(lambda: service.reconciler.listeners[0].heard.refused >= 1)
            service.server.begin()
            await until(lambda: service.attempts(recording))
            assert len(await service.attempts(recording)) == 1


async def test_an_api_server_that_is_away_for_a_while_is_no_end_of_it(tmp_path: Path) -> None:
    recording = load("01")
    async with serving(tmp_path, recording) as service:
        service.server.faults.append(Answering("/rollouts", refusal(403, "not yet"), times=2))
        async with running(service):
            service.server.begin()
            await until(lambda: service.attempts(recording), 8)
            assert len(await service.attempts(recording)) == 1


async def test_a_rollout_that_is_seen_healthy_closes_what_its_failure_left_though_nobody_notified(
    tmp_path: Path,
) -> None:
    recording = load("01")
    async with serving(tmp_path, recording) as service:
        service.server.begin()
        await service.notify(webhooks(recording)[1])
        await until(lambda: service.attempts(recording))
        (attempt,) = await service.attempts(recording)
        await service.steps.settle()
        for state in (State.DIAGNOSING, State.PUBLISHING, State.REPORTED):
            await incidents.advance(service.db, attempt.id, state, utc_now())
        report = {
            "kind": "reported",
            "issue": "https://forge.example/1",
            "repository": "https://forge.example/acme/shop",
        }
        await incidents.record(service.db, attempt.id, outcome=report)
        rollout = recording.rollout_at(1)
        stable = rollout["status"]["stableRS"]
        for pod_hash in (stable, "5f4dcc3b5a", "5f4dcc3b5a"):
            rollout["status"] |= {"phase": "Healthy", "currentPodHash": pod_hash, "stableRS": pod_hash}
            await service.reconciler.see("prod", rollout)
            assert list(service.queue.followed) == ([] if pod_hash == stable else [attempt.id])
        assert service.queue.followed[attempt.id].pod_hash == "5f4dcc3b5a"


async def test_only_the_namespaces_that_are_watched_count(tmp_path: Path) -> None:
    recording = load("01")
    other = renamed(recording, "elsewhere")
    async with serving(tmp_path, recording, other, namespaces=("elsewhere",)) as service, running(service):
        service.server.begin()
        await until(lambda: service.attempts(other))
        await asyncio.sleep(0.1)
        assert not await service.attempts(recording)


async def test_a_failure_that_is_known_is_not_stored_again_with_every_change(tmp_path: Path) -> None:
    recording = load("01")
    async with serving(tmp_path, recording) as service:
        service.server.begin(ago=1)
        for _ in range(3):
            await service.reconciler.see("prod", recording.rollout_at(1))
        await service.steps.settle()
        assert len(await service.attempts(recording)) == 1
        assert len(service.queue.entries) == 1
