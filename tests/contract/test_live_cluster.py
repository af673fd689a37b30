"""The live adapter over real HTTP: what an API server may answer, and what becomes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from agents.errors import Invalid
from agents.evidence import LogSource, LogText, Target
from agents.incident import Incident
from app.adapters.cluster import Connection, LiveCluster, load_contexts
from app.adapters.cluster.connection import Expired, Refused
from app.adapters.cluster.logs import TAIL_LINES, read_log
from app.capture import capture, target_of
from app.clock import utc_now
from app.notification import identify
from tests.replay.recording import Recording, load
from tests.replay.rights import shipped_rights
from tests.replay.server import ReplayServer

POD = "checkout-7fdfff8c97-8jnsm"
SOURCE = LogSource(side="canary", pod=POD, container="checkout")
VERBS = (
    "get rollouts",
    "list replicasets",
    "list pods",
    "get pods/log",
    "list analysisruns",
    "list experiments",
    "list events",
    "list services",
    "get configmaps",
    "get analysistemplates",
    "get applications",
    "list horizontalpodautoscalers",
)


@asynccontextmanager
async def replayed(
    recording: Recording, folder: Path, context: str = "replay", ago: float = 0.0
) -> AsyncIterator[tuple[LiveCluster, ReplayServer]]:
    async with ReplayServer(recording).serve() as server:
        live = LiveCluster(await load_contexts(server.kubeconfig(folder / "kubeconfig"), {"prod": context}))
        server.begin(ago)
        yield live, server
        await live.close()


def failed(recording: Recording) -> Incident:
    incident = identify(recording.rollout_at(0), "prod")
    assert isinstance(incident, Incident)
    return incident


def at_logs(answer: web.Response | float) -> "Answering":
    return Answering("/log", answer)


class Answering:
    """A fault of the server at paths that end so, for the first `times` requests."""

    def __init__(self, end: str, answer: web.Response | float, times: int = 10**6) -> None:
        self._end, self._answer, self._left = end, answer, times

    def __call__(self, request: web.Request) -> web.Response | float | None:
        if not request.path.endswith(self._end) or self._left == 0:
            return None
        self._left -= 1
        if isinstance(self._answer, float):
            return self._answer
        return web.Response(status=self._answer.status, body=self._answer.body)


def refusal(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "message": message}, status=code)


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (web.Response(status=204), "empty", "nothing is there yet"),
        (refusal(400, "container app is waiting to start: PodInitializing"), "empty", "waiting to start"),
        (refusal(400, "previous terminated container app in pod x not found"), "empty", "previous"),
        (refusal(400, "a container name must be specified for pod x"), "failed", "must be specified"),
        (refusal(401, "Unauthorized"), "denied", "does not know our credentials"),
        (refusal(403, "pods x is forbidden"), "denied", "forbidden"),
        (refusal(404, "pods x not found"), "gone", "not found"),
        (web.Response(status=404, text="404 page not found\n"), "gone", "404 page not found"),
        (web.Response(status=200, text=""), "empty", None),
    ],
)
async def test_an_answer_without_a_log_becomes_a_status_and_never_text(
    answer: web.Response, status: str, reason: str | None, tmp_path: Path
) -> None:
    recording = load("01")
    async with replayed(recording, tmp_path) as (live, server):
        server.faults.append(at_logs(answer))
        found = await live.log(target_of(failed(recording)), SOURCE)
    assert (found.status, found.text) == (status, "")
    assert reason is None or reason in str(found.reason)


async def test_a_kubelet_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    recording = load("01")
    async with replayed(recording, tmp_path) as (live, server):
        server.faults.append(Answering("/log", refusal(500, "dial tcp 10.0.14.9:10250: connection refused"), times=2))
        found = await live.log(target_of(failed(recording)), SOURCE)
        assert server.requests.count("get pods/log") == 3
    assert found.status == "ok"
    assert "KeyError" in found.text


async def test_one_that_never_does_is_a_failure_with_its_words(tmp_path: Path) -> None:
    async with replayed(load("01"), tmp_path) as (live, server):
        server.faults.append(at_logs(refusal(500, "connection refused")))
        found = await read_log(connection(live), "shop", SOURCE, seconds=0.7)
    assert (found.status, found.reason) == ("failed", "connection refused")


async def test_of_a_log_that_does_not_end_what_came_is_kept(tmp_path: Path) -> None:
    async with slow_log([b"2026-11-23T07:36:00Z ERROR first\n", b"2026-11-23T07:36:01Z sec"]) as url:
        live = await live_at(url, tmp_path)
        found = await read_log(connection(live), "shop", SOURCE, seconds=0.5)
        await live.close()
    assert found.status == "truncated"
    assert found.text.splitlines() == ["2026-11-23T07:36:00Z ERROR first", "2026-11-23T07:36:01Z sec"]


async def test_of_a_long_log_the_newest_lines_and_the_first_of_every_kind_survive(tmp_path: Path) -> None:
    lines = [f"2026-11-23T07:36:00.{at:09d}Z INFO request {at} {'x' * 200}\n" for at in range(5 * TAIL_LINES)]
    lines[5000] = "2026-11-23T07:36:00.000005000Z WARN the cause\n"
    lines[6000:6003] = [
        "2026-11-23T07:36:00.000006000Z Traceback (most recent call last):\n",
        '2026-11-23T07:36:00.000006001Z   File "/app/a.py", line 3, in load\n',
        "2026-11-23T07:36:00.000006002Z KeyError: 'price'\n",
    ]
    found = await read_synthetic(lines, tmp_path)
    kept = found.text.splitlines(keepends=True)
    gaps = [line for line in kept if line.startswith("~~~~")]
    assert (found.status, len(gaps)) == ("truncated", 3)
    assert found.cut is not None
    assert (found.cut.kept, found.cut.of) == (len(kept) - 3, len(lines))
    assert lines[5000] in kept
    assert "".join(lines[6000:6003]) in found.text
    assert kept[0] == lines[0]
    assert kept[-TAIL_LINES:] == lines[-TAIL_LINES:]


async def test_a_log_that_is_longer_than_its_newest_lines_but_has_room_is_whole(tmp_path: Path) -> None:
    lines = [f"2026-11-23T07:36:00.{at:09d}Z INFO request {at}\n" for at in range(3 * TAIL_LINES)]
    found = await read_synthetic(lines, tmp_path)
    assert (found.status, found.text, found.cut) == ("ok", "".join(lines), None)


async def test_an_error_among_the_newest_lines_is_not_there_twice(tmp_path: Path) -> None:
    lines = [f"2026-11-23T07:36:00.{at:09d}Z INFO request {at}\n" for at in range(2 * TAIL_LINES)]
    lines[-10] = "2026-11-23T07:36:09.000000100Z ERROR the cause\n"
    found = await read_synthetic(lines, tmp_path)
    assert found.text.count("ERROR the cause") == 1


async def test_of_lines_too_long_for_the_limit_the_newest_survive(tmp_path: Path) -> None:
    """The API server cuts at the end, where the newest lines are."""
    lines = [f"2026-11-23T07:36:00.{at:09d}Z {'x' * 6000} {at}\n" for at in range(TAIL_LINES)]
    found = await read_synthetic(lines, tmp_path)
    assert found.text.endswith(lines[-1])


async def read_synthetic(lines: list[str], folder: Path) -> LogText:
    recording = load("01")
    recording.logs[POD, "checkout"] = "".join(lines)
    async with replayed(recording, folder) as (live, _):
        return await live.log(target_of(failed(recording)), SOURCE)


@pytest.mark.parametrize("missing", VERBS)
async def test_without_one_of_its_rights_a_capture_ends_well_and_names_the_gap(missing: str, tmp_path: Path) -> None:
    recording = load("01")
    verb, _, resource = missing.partition(" ")
    async with replayed(recording, tmp_path) as (live, server):
        server.granted = shipped_rights() - {(verb, resource)}
        bundle = await capture(live, failed(recording), 1, None, utc_now)
    denied = [item for item in bundle.manifest.items if item.status == "denied"]
    assert denied
    assert all(f'cannot {verb} resource "{resource}"' in str(item.reason) for item in denied)
    assert bundle.logs("canary") or missing in {"list pods", "get pods/log"}


async def test_a_role_that_lacks_nothing_is_denied_nothing(tmp_path: Path) -> None:
    recording = load("03")
    async with replayed(recording, tmp_path) as (live, server):
        server.granted = shipped_rights()
        bundle = await capture(live, failed(recording), 1, None, utc_now)
        asked = set(server.requests)
        assert server.refused == []
    assert not [item for item in bundle.manifest.items if item.status == "denied"]
    assert asked <= {*VERBS, "get ingresses"}


async def test_slow_logs_hold_up_no_question_about_objects(tmp_path: Path) -> None:
    recording = load("01")
    async with replayed(recording, tmp_path) as (live, server):
        server.faults.append(at_logs(3.0))
        target = target_of(failed(recording))
        slow = [asyncio.create_task(live.log(target, SOURCE)) for _ in range(400)]
        await asyncio.sleep(0.3)
        began = asyncio.get_running_loop().time()
        found = await live.objects(target, "rollout")
        took = asyncio.get_running_loop().time() - began
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
    assert found.status == "ok"
    assert took < 1.0


async def test_lists_are_read_to_their_last_page(tmp_path: Path) -> None:
    recording = load("01")
    (event,) = recording.objects["events"][:1]
    recording.objects["events"] = [
        {**event, "metadata": event["metadata"] | {"name": f"checkout.{at}", "uid": str(at)}} for at in range(1200)
    ]
    async with replayed(recording, tmp_path) as (live, server):
        bundle = await capture(live, failed(recording), 1, None, utc_now)
        assert server.requests.count("list events") >= 3
    assert len(bundle.objects("event")) == 1200


async def test_the_same_pod_template_in_another_rollout_is_not_ours(tmp_path: Path) -> None:
    recording = load("01")
    other = [{**pod, "metadata": {**pod["metadata"]}} for pod in recording.objects["pods"]]
    for pod in other:
        pod["metadata"] |= {
            "name": f"other-{pod['metadata']['name']}",
            "ownerReferences": [{"kind": "ReplicaSet", "name": "other-7fdfff8c97"}],
        }
    recording.objects["pods"] += other
    async with replayed(recording, tmp_path) as (live, _):
        found = await live.objects(target_of(failed(recording)), "pod")
    assert {pod["metadata"]["name"].startswith("checkout-") for pod in found.objects} == {True}


async def test_nothing_is_ready_before_the_cluster_knows_us(tmp_path: Path) -> None:
    recording = load("01")
    async with replayed(recording, tmp_path, context="stranger") as (live, _):
        assert not await live.check("prod")
        assert not live.has_answered
        found = await live.find("prod", "shop", "checkout")
        assert (found.status, "credentials" in str(found.reason)) == ("denied", True)
    async with replayed(recording, tmp_path) as (live, _):
        assert await live.check("prod")
        assert live.has_answered


async def test_an_unknown_cluster_and_an_unreachable_one_are_answers_too(tmp_path: Path) -> None:
    live = await live_at("http://127.0.0.1:9", tmp_path)
    target = Target(cluster="other", namespace="shop", rollout="checkout", canary_hash="a", stable_hash="b")
    assert (await live.objects(target, "rollout")).status == "denied"
    assert not await live.check("prod")
    await live.close()


async def test_a_watch_tells_every_later_version_once(tmp_path: Path) -> None:
    recording = load("01")
    async with replayed(recording, tmp_path, ago=0.1) as (live, _):
        first = int(recording.history[0]["resourceVersion"])
        seen: list[str] = []
        async for change, rollout in live.watch("prod", "rollout", "shop", "", str(first)):
            assert change == "MODIFIED"
            seen.append(rollout["metadata"]["resourceVersion"])
            if rollout["status"].get("abortedAt"):
                break
    assert seen == sorted(set(seen), key=int)
    assert len(seen) > 0
    assert str(first) not in seen


async def test_a_watch_from_too_old_a_version_is_told_apart(tmp_path: Path) -> None:
    async with replayed(load("01"), tmp_path) as (live, server):
        server.oldest_version = 10_000
        with pytest.raises(Expired):
            await anext(live.watch("prod", "rollout", "shop", "", "2"))
        server.denied.add(("watch", "rollouts"))
        with pytest.raises(Refused, match="forbidden"):
            await anext(live.watch("prod", "rollout", "shop", "", "20000"))


@pytest.mark.parametrize(
    ("text", "context", "message"),
    [
        (None, "", "there is no file"),
        ("{}", "", "SELFHEAL_KUBECONFIG"),
        ("not: [yaml", "", "SELFHEAL_KUBECONFIG"),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_refused(
    text: str | None, context: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Invalid, match=message):
        await load_contexts(path, {"prod": context})


async def test_a_context_that_is_not_there_is_refused(tmp_path: Path) -> None:
    server = ReplayServer()
    server.url = "http://127.0.0.1:9"
    with pytest.raises(Invalid, match="nowhere"):
        await load_contexts(server.kubeconfig(tmp_path / "kubeconfig"), {"prod": "nowhere"})


def connection(live: LiveCluster) -> Connection:
    """The connection that the adapter itself uses."""
    found = live._connect("prod")
    assert found is not None
    return found


async def live_at(url: str, folder: Path) -> LiveCluster:
    server = ReplayServer()
    server.url = url
    return LiveCluster(await load_contexts(server.kubeconfig(folder / "kubeconfig"), {"prod": "replay"}))


@asynccontextmanager
async def slow_log(chunks: list[bytes]) -> AsyncIterator[str]:
    """A server that sends these chunks and then holds the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        await asyncio.sleep(30)
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()
