from pathlib import Path
from typing import Any

import pytest

from agents.incident import State
from app.store import incidents, tables
from app.store.database import Database
from tests.fakes import FakeCluster
from tests.recorded import bodies, body
from tests.unit.app.conftest import Door, settings_with

FULL = {
    "cluster": "prod",
    "namespace": "shop",
    "rollout": "checkout",
    "uid": "c4583ee6-dc07-4f85-a364-1a8f858fcf95",
    "canary_hash": "7fdfff8c97",
    "stable_hash": "748cdc5cd4",
    "revision": "2",
}
NAMED = {"cluster": "prod", "namespace": "shop", "rollout": "checkout"}


@pytest.mark.parametrize(
    ("token", "reads", "triggers"),
    [
        ("ops-token", 200, 202),
        ("viewer-token", 200, 403),
        ("caller-token", 403, 202),
        ("first-token", 401, 401),
        ("wrong", 401, 401),
        ("", 401, 401),
        ("tökén", 401, 401),
    ],
)
async def test_each_scope_opens_its_own_doors(door: Door, token: str, reads: int, triggers: int) -> None:
    header = {"Authorization": f"Bearer {token}".encode()}
    posted = await door.client.post("/api/v1/incidents", json=FULL, headers=header)  # type: ignore[arg-type] # bytes are a header's value too
    await door.steps.settle()
    assert posted.status_code == triggers
    for path in ("/api/v1/incidents", "/api/v1/incidents/nothing"):
        answer = await door.client.get(path, headers=header)  # type: ignore[arg-type] # as above
        assert answer.status_code == (404 if reads == 200 and path.endswith("nothing") else reads)
    assert await door.count(tables.incidents) == (triggers == 202)


async def test_a_full_identity_opens_an_incident_that_nobody_has_heard_of(door: Door) -> None:
    answer = await door.trigger(FULL)
    assert answer.status_code == 202
    document = answer.json()
    assert document["opened"] is True
    assert answer.headers["location"] == f"/api/v1/incidents/{document['incident']}"
    shown = (await door.get(answer.headers["location"])).json()
    assert {name: shown[name] for name in FULL} == FULL
    assert shown["attempts"][0]["opened_by"] == "ops"
    assert list(door.queue.entries) == [document["attempt"]]


async def test_it_is_the_incident_of_the_notification_and_joins_while_that_is_in_progress(door: Door) -> None:
    notified = (await door.notify(bodies("01")[3])).json()
    for call in (FULL, NAMED):
        joined = (await door.trigger(call)).json()
        assert joined == {"incident": notified["incident"], "attempt": f"{notified['incident']}-1", "opened": False}


async def test_after_a_final_state_it_opens_the_next_attempt(door: Door) -> None:
    first = (await door.trigger(FULL)).json()
    await incidents.advance(door.db, first["attempt"], State.FAILED, door.clock(), "for a test")
    again = (await door.trigger(NAMED)).json()
    assert again == {"incident": first["incident"], "attempt": f"{first['incident']}-2", "opened": True}
    earlier = (await door.get(f"/api/v1/incidents/{first['attempt']}")).json()
    assert (earlier["state"], earlier["detail"], earlier["attempt"]) == ("failed", "for a test", 1)
    assert (await door.get(f"/api/v1/incidents/{first['incident']}")).json()["attempt"] == 2


async def test_a_name_is_resolved_by_reading_the_rollout(store: Database, tmp_path: Path) -> None:
    cluster = FakeCluster({"rollout": [body("01", 4)["rollout"]]})
    door = Door(store, settings_with(tmp_path), cluster)
    answer = await door.trigger(NAMED)
    assert answer.status_code == 202
    shown = (await door.get(answer.headers["location"])).json()
    assert {name: shown[name] for name in FULL} == FULL
    await door.client.aclose()


@pytest.mark.parametrize(
    "rollout",
    [
        {"metadata": {"name": "checkout", "namespace": "shop"}},
        {"metadata": {"name": "checkout", "namespace": "shop", "annotations": []}, "status": ["odd"]},
        body("29", 1)["rollout"] | {"metadata": {"name": "checkout", "namespace": "shop"}},
    ],
)
async def test_a_rollout_without_a_failed_canary_falls_back_to_what_is_known(
    store: Database, tmp_path: Path, rollout: dict[str, Any]
) -> None:
    door = Door(store, settings_with(tmp_path), FakeCluster({"rollout": [rollout]}))
    unknown = await door.trigger(NAMED)
    assert unknown.status_code == 404
    assert "shop/checkout" in unknown.json()["detail"]
    known = (await door.trigger(FULL)).json()
    assert (await door.trigger(NAMED)).json()["incident"] == known["incident"]
    await door.client.aclose()


async def test_what_is_named_beside_the_name_must_fit(door: Door) -> None:
    older = (await door.trigger(FULL)).json()
    door.clock.advance(minutes=1)
    newer = (await door.trigger(FULL | {"canary_hash": "0123456789", "revision": "3"})).json()
    assert (await door.trigger(NAMED)).json()["incident"] == newer["incident"]
    assert (await door.trigger(NAMED | {"canary_hash": "7fdfff8c97"})).json()["incident"] == older["incident"]
    mixed = await door.trigger(NAMED | {"canary_hash": "7fdfff8c97", "revision": "3"})
    assert mixed.status_code == 404
    assert await door.count(tables.incidents) == 2


@pytest.mark.parametrize(
    ("call", "status", "names"),
    [
        (NAMED | {"cluster": "mars"}, 422, "prod, eu, us"),
        ({"namespace": "shop", "rollout": "checkout"}, 422, "cluster"),
        ({"cluster": "prod", "rollout": "checkout"}, 422, "namespace"),
        (NAMED | {"rolout": "x"}, 422, "rolout"),
        (NAMED | {"rollout": ""}, 422, "rollout"),
        (NAMED | {"rollout": "../../etc/passwd"}, 422, "rollout"),
        (NAMED | {"rollout": "a\x00b"}, 422, "rollout"),
        (NAMED | {"rollout": "checkout\n"}, 422, "rollout"),
        (NAMED | {"rollout": "x" * 254}, 422, "rollout"),
        (NAMED | {"rollout": ["checkout"]}, 422, "rollout"),
        (NAMED | {"revision": 2}, 422, "revision"),
        (b"", 422, "JSON"),
        (b"[]", 422, "the body"),
        (b"{", 422, "JSON"),
        (b'{"namespace": "\xff"}', 422, "the body"),
        (b'{"namespace": "\\ud800", "rollout": "x", "cluster": "prod"}', 422, ""),
        (b"[" * 100_000, 422, "JSON"),
        (NAMED, 404, "shop/checkout"),
        (b"x" * (8 * 1024 * 1024 + 1), 413, "larger"),
    ],
)
async def test_a_wrong_call_is_told_what_is_wrong(door: Door, call: Any, status: int, names: str) -> None:
    answer = await door.trigger(call)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert names in answer.json()["detail"]
    assert await door.count(tables.incidents) == 0


async def test_with_one_cluster_its_name_may_be_left_out(store: Database, tmp_path: Path) -> None:
    door = Door(store, settings_with(tmp_path, webhook_tokens="prod:one,prod:two"))
    without = {name: value for name, value in FULL.items() if name != "cluster"}
    assert (await door.trigger(without)).status_code == 202
    listed = (await door.get("/api/v1/incidents")).json()["incidents"]
    assert [one["cluster"] for one in listed] == ["prod"]
    await door.client.aclose()


async def test_the_list_is_paged_newest_first(door: Door) -> None:
    keys = []
    for number in range(7):
        keys.append((await door.trigger(FULL | {"revision": str(number)})).json()["incident"])
        door.clock.advance(seconds=number % 2)
    found: list[str] = []
    after: dict[str, str] = {}
    pages = 0
    while True:
        page = (await door.get("/api/v1/incidents", limit=3, **after)).json()
        found += [one["id"] for one in page["incidents"]]
        pages += 1
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert pages == 3
    assert len(found) == 7
    assert {*found} == {*keys}
    unencoded = await door.client.get(
        "/api/v1/incidents?limit=3&after=" + (await door.get("/api/v1/incidents", limit=3)).json()["next"],
        headers={"Authorization": "Bearer ops-token"},
    )
    assert [one["id"] for one in unencoded.json()["incidents"]] == found[3:6]


async def test_the_list_is_filtered(door: Door) -> None:
    first = (await door.trigger(FULL)).json()
    await door.trigger(FULL | {"namespace": "other", "cluster": "eu"})
    await incidents.advance(door.db, first["attempt"], State.FAILED, door.clock())

    async def found(**filters: str) -> list[tuple[str, str]]:
        listed = (await door.get("/api/v1/incidents", **filters)).json()["incidents"]
        return [(one["cluster"], one["state"]) for one in listed]

    assert await found(state="failed") == [("prod", "failed")]
    assert await found(namespace="other") == [("eu", "capturing")]
    assert await found(cluster="eu", rollout="checkout") == [("eu", "capturing")]
    assert await found(cluster="us") == []


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"state": "broken"}, "state"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"namespace": "a\x00b"}, "namespace"),
        ({"stat": "failed"}, "stat"),
        ({"after": "yesterday"}, "after"),
        ({"after": "2026-11-24T12:00:00~" + "0" * 32}, "after"),
        ({"after": "9999-12-31T23:59:59-23:59~" + "0" * 32}, "after"),
        ({"after": "2026-11-24T12:00:00+00:00~zzz"}, "after"),
    ],
)
async def test_a_wrong_query_is_told_what_is_wrong_but_only_to_a_caller_who_may_read(
    door: Door, params: dict[str, str], names: str
) -> None:
    answer = await door.get("/api/v1/incidents", **params)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert names in answer.json()["detail"]
    assert (await door.get("/api/v1/incidents", token=None, **params)).status_code == 401


@pytest.mark.parametrize(
    "name",
    ["0" * 32, "0" * 31, "x", "%00", "..%2f..", "{key}-", "{key}-0", "{key}-2", "{key}-01", "{key}-²", "{key}-1-1"],
)
async def test_an_odd_id_is_not_found(door: Door, name: str) -> None:
    key = (await door.trigger(FULL)).json()["incident"]
    answer = await door.get("/api/v1/incidents/" + name.format(key=key))
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await door.get(f"/api/v1/incidents/{key}-1")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/webhooks/argo-rollouts", 405),
        ("DELETE", "/api/v1/incidents", 405),
        ("PUT", "/api/v1/incidents/x", 405),
        ("POST", "/api/v1/incidents", 401),
    ],
)
async def test_every_error_is_a_problem_document(door: Door, method: str, path: str, status: int) -> None:
    answer = await door.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert (document["status"], document["type"]) == (status, "about:blank")
    assert document["title"]
    assert document["detail"]
    assert (status != 405) or answer.headers["allow"]


async def test_health_is_open_and_says_whether_the_inbox_takes_writes(door: Door) -> None:
    assert (await door.client.get("/healthz")).json() == {"status": "ok"}
    assert (await door.client.get("/readyz")).json() == {"status": "ready"}


async def test_the_audit_trail_says_who_opened_the_attempt(door: Door) -> None:
    opened = (await door.trigger(FULL)).json()
    trail = (await door.get(f"/api/v1/incidents/{opened['incident']}/audit")).json()
    assert trail["incident"] == opened["incident"]
    assert [(act["actor"], act["action"], act["result"]) for act in trail["acts"]] == [
        ("ops", "open-attempt", opened["attempt"])
    ]
    assert (await door.get("/api/v1/incidents/nothing/audit")).status_code == 404
    assert (await door.get(f"/api/v1/incidents/{'0' * 32}/audit")).status_code == 404
