"""The flight recorder on a cluster that replays failures: what it has heard when the pods are gone, and its bounds."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agents.evidence import Bundle, LogSource, Target
from agents.evidence.recording import Recording as HeardRecording
from app.capture import capture, target_of
from app.clock import utc_now
from app.recorder import LOG_BYTES, Log, Mode, Recorder
from tests.replay.recording import Recording, load, renamed
from tests.replay.service import Service, incident_of, serving, until


@asynccontextmanager
async def recording_of(
    folder: Path, *recordings: Recording, mode: Mode = "canary", streams: int = 100, most_bytes: int = 1 << 20
) -> AsyncIterator[tuple[Service, Recorder]]:
    """A recorder at work half a second before the failure, which has heard something if it listens at all."""
    async with serving(folder, *recordings) as service:
        service.server.begin(ago=-0.5)
        recorder = Recorder(service.live, mode, ("",), most_streams=streams, most_bytes=most_bytes)
        for recording in recordings:
            recorder.see_rollout("prod", recording.rollout_at(-0.1))
        task = asyncio.create_task(recorder.run())
        try:
            if mode != "off":
                await until(lambda: recorder.bytes)
            yield service, recorder
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def captured(service: Service, recording: Recording, recorder: Recorder | None) -> Bundle:
    async def recorded(target: Target) -> tuple[HeardRecording, ...]:
        return (recorder.recording(target),) if recorder else ()

    return await capture(service.live, incident_of(recording), 1, None, utc_now, recorded)


@pytest.mark.parametrize(
    ("number", "after", "cause"), [("05", 0.5, "No module named 'pydantic_settings'"), ("24", 0.6, "ranker.go:73")]
)
async def test_after_the_pods_are_gone_the_recorder_still_has_their_logs(
    number: str, after: float, cause: str, tmp_path: Path
) -> None:
    recording = load(number)
    async with recording_of(tmp_path, recording) as (service, recorder):
        await until(lambda: service.server.at > after)
        without = await captured(service, recording, None)
        bundle = await captured(service, recording, recorder)
    assert not without.logs("canary")
    assert any(cause in bundle.contents[item.id] for item in bundle.logs("canary"))
    assert any(recording.canary_hash in str(pod["metadata"]["name"]) for pod in bundle.objects("pod"))
    assert not any(recording.canary_hash in str(pod["metadata"]["name"]) for pod in without.objects("pod"))


async def test_what_a_container_wrote_before_its_last_restart_is_recorded_too(tmp_path: Path) -> None:
    recording = load("05")
    async with recording_of(tmp_path, recording) as (_, recorder):
        target = target_of(incident_of(recording))
        await until(lambda: {source.previous for source in recorder.recording(target).logs} == {True, False})
        texts = {source.previous: text for source, text in recorder.recording(target).logs.items()}
    assert "ModuleNotFoundError" in texts[True]


async def test_a_stream_that_is_opened_again_tells_nothing_twice_and_leaves_nothing_out() -> None:
    heard = Log(LogSource(side="canary", pod="a", container="b"))
    lines = [f"2026-11-23T07:36:0{second}.5Z {text}" for second, text in [(1, "a"), (2, "trace"), (2, "  at x")]]
    for line in lines:
        heard.add(line, 0)
    heard.reopen()
    for line in [*lines, lines[2].replace("x", "y"), lines[0].replace("01.5", "03.5")]:
        heard.add(line, 0)
    assert (
        heard.text.split() == "\n".join([*lines, lines[2].replace("x", "y"), lines[0].replace("01.5", "03.5")]).split()
    )


async def test_of_a_log_that_does_not_fit_the_first_of_every_kind_and_the_newest_lines_are_held() -> None:
    heard = Log(LogSource(side="canary", pod="a", container="b"))
    lines = [f"2026-11-23T07:36:00.{at:09d}Z INFO request {at} is done, {'and well ' * 20}" for at in range(12_000)]
    lines[4000] = lines[4000].replace("INFO", "WARN the cause:")
    lines[9000] = lines[9000].partition("INFO")[0] + "INFO what is said once"
    held = 0
    for one in lines:
        held += heard.add(one, 0)
        assert heard.bytes <= LOG_BYTES
    kept = heard.text.splitlines()
    assert held == heard.bytes
    assert {lines[0], lines[4000], lines[9000], lines[-1]} <= set(kept)
    assert sum(int(one.split()[1]) if one.startswith("~~~~") else 1 for one in kept) == len(lines)
    while heard.lines:
        held -= heard.shed()
    assert held == heard.bytes
    assert lines[4000] in heard.text.splitlines()
    assert (heard.clear(), heard.bytes) == (held, 0)


@pytest.mark.parametrize(
    "line", ["{word} {word}", "ERROR no user {word}\n  at {word}.run(A.java:1)", "INFO " + "{word} " * 800]
)
async def test_a_flood_of_distinct_kinds_does_not_make_the_recorder_hold_more(line: str) -> None:
    heard = Log(LogSource(side="canary", pod="a", container="b"))
    held = 0
    for at in range(2000):
        word = f"{at:x}".translate(str.maketrans("0123456789abcdef", "ghijklmnopqrstuv"))
        for one in line.format(word=word).split("\n"):
            held += heard.add(one, 0)
            assert held == heard.bytes <= LOG_BYTES
    assert word in heard.text


async def test_with_both_every_line_is_there_once(tmp_path: Path) -> None:
    recording = load("01")
    async with recording_of(tmp_path, recording) as (service, recorder):
        await until(lambda: service.server.at > 0)
        without = await captured(service, recording, None)
        bundle = await captured(service, recording, recorder)
    (item,) = bundle.logs("canary")
    assert bundle.contents[item.id] == without.contents[item.id]


async def test_stable_pods_are_followed_only_where_that_is_asked_for(tmp_path: Path) -> None:
    recording = load("01")
    target = target_of(incident_of(recording))
    heard: dict[Mode, set[str]] = {}
    modes: tuple[Mode, ...] = ("off", "canary", "all")
    for mode in modes:
        async with recording_of(tmp_path, recording, mode=mode) as (service, recorder):
            await asyncio.sleep(0.1)
            heard[mode] = {source.side for source in recorder.recording(target).logs}
            assert (service.server.requests.count("list pods") == 0) == (mode == "off")
    assert heard == {"off": set(), "canary": {"canary"}, "all": {"canary", "stable"}}


async def test_another_rollouts_lines_are_not_in_it(tmp_path: Path) -> None:
    recording = load("01")
    other = renamed(recording, "elsewhere")
    async with recording_of(tmp_path, recording, other) as (_, recorder):
        target = target_of(incident_of(recording))
        await until(lambda: recorder.recording(target).logs and recorder.streams == 2)
        assert len(recorder.recording(target).logs) == 1
        assert len(recorder.recording(target.model_copy(update={"rollout": "other"})).logs) == 0


async def test_memory_stays_within_its_limit_and_the_newest_lines_are_kept(tmp_path: Path) -> None:
    recording = load("01")
    pod = next(pod for pod, _ in recording.logs if recording.canary_hash in pod)
    lines = [f"2026-11-23T07:36:{at // 1000:02}.{at % 1000:03}Z {'x' * 9000} {at}\n" for at in range(400)]
    recording.logs[pod, "checkout"] = "".join(lines)
    limit = 300_000
    async with recording_of(tmp_path, recording, most_bytes=limit) as (_, recorder):
        target = target_of(incident_of(recording))
        await until(lambda: any(lines[-1] in text for text in recorder.recording(target).logs.values()))
        assert 0 < recorder.bytes <= limit < LOG_BYTES


async def test_of_one_long_log_the_first_error_is_kept_too(tmp_path: Path) -> None:
    recording = load("01")
    pod = next(pod for pod, _ in recording.logs if recording.canary_hash in pod)
    lines = [f"2026-11-23T07:36:{at // 1000:02}.{at % 1000:03}Z {'x' * 9000} {at}\n" for at in range(400)]
    lines[3] = "2026-11-23T07:36:00.003Z ERROR the cause\n"
    recording.logs[pod, "checkout"] = "".join(lines)
    async with recording_of(tmp_path, recording, most_bytes=64 << 20) as (_, recorder):
        target = target_of(incident_of(recording))
        await until(lambda: any(lines[-1] in text for text in recorder.recording(target).logs.values()))
        (text,) = recorder.recording(target).logs.values()
    assert text.count("ERROR the cause") == 1
    assert lines[-1] in text
    assert lines[200] not in text


async def test_no_more_streams_are_open_than_may_be_and_every_log_is_read_once_all_the_same(tmp_path: Path) -> None:
    recordings = [renamed(load("01"), f"shop-{number}") for number in range(6)]
    async with recording_of(tmp_path, *recordings, streams=3) as (service, recorder):
        targets = [target_of(incident_of(one)) for one in recordings]
        await until(lambda: all(recorder.recording(target).logs for target in targets))
        for _ in range(3):  # as the list every two minutes does: whoever was closed asks for a place again
            for recording in recordings:
                for pod in recording.objects["pods"]:
                    recorder._see_pod("prod", pod)
            await asyncio.sleep(0.1)
        assert service.server.most_following == 3
        assert recorder.figures.evicted > 0
        assert recorder.streams <= 3


async def test_what_is_over_is_forgotten_later(tmp_path: Path) -> None:
    recording = load("01")
    async with recording_of(tmp_path, recording) as (_, recorder):
        healthy = recording.rollout_at(1)
        healthy["status"] = healthy["status"] | {"currentPodHash": recording.stable_hash, "phase": "Healthy"}
        now = asyncio.get_running_loop().time()
        recorder.forget(now + 1)
        assert recorder.bytes
        recorder.see_rollout("prod", healthy)
        recorder.forget(now - 60)
        assert recorder.bytes
        recorder.forget(now + 60)
        assert (recorder.bytes, recorder.recording(target_of(incident_of(recording))).pods) == (0, ())


async def test_a_pods_end_for_want_of_memory_is_evidence_when_it_died_of_something_else_since(tmp_path: Path) -> None:
    recording = load("06")
    async with recording_of(tmp_path, recording) as (service, recorder):
        (first,) = [pod for pod in recording.objects["pods"] if recording.canary_hash in pod["metadata"]["name"]]
        later = json.loads(json.dumps(first))
        for status in later["status"]["containerStatuses"]:
            ended = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-23T09:00:00Z"}}
            status |= {"state": ended, "lastState": ended}
        recorder._see_pod("prod", later)
        recording.objects["pods"] = [later]
        bundle = await captured(service, recording, recorder)
    states = [pod for pod in bundle.objects("pod") if pod["metadata"]["name"] == first["metadata"]["name"]]
    assert ["OOMKilled" in json.dumps(pod) for pod in states] == [False, True]


async def test_events_that_the_server_has_forgotten_are_in_the_bundle_once(tmp_path: Path) -> None:
    recording = load("09")
    events = recording.objects["events"]
    async with recording_of(tmp_path, recording) as (service, recorder):
        await recorder.ask_for_events()
        recording.objects["events"] = events[-1:]
        without = await captured(service, recording, None)
        bundle = await captured(service, recording, recorder)
    assert len(without.objects("event")) <= 1
    told = [event["metadata"]["uid"] for event in bundle.objects("event")]
    assert len(told) == len(set(told)) > 1
    assert any("Readiness probe failed" in str(event.get("message")) for event in bundle.objects("event"))


async def test_where_events_may_not_be_read_everything_else_is_recorded(tmp_path: Path) -> None:
    recording = load("05")
    async with recording_of(tmp_path, recording) as (service, recorder):
        service.server.denied.add(("list", "events"))
        await recorder.ask_for_events()
        heard = recorder.recording(target_of(incident_of(recording)))
    assert (bool(heard.logs), bool(heard.pods), heard.events) == (True, True, ())


async def test_states_and_events_count_towards_the_limit_as_well(tmp_path: Path) -> None:
    recording = load("01")
    async with recording_of(tmp_path, recording, most_bytes=20_000) as (_, recorder):
        await recorder.ask_for_events()
        lines = recorder._streams.bytes
        assert recorder.bytes > lines
        for number in range(60):
            pod = json.loads(json.dumps(recording.objects["pods"][-1]))
            pod["metadata"]["uid"] = str(number)
            recorder._see_pod("prod", pod)
            assert recorder.bytes <= 20_000
