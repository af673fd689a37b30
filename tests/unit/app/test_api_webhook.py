import asyncio
import base64
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from app.api.rollouts import MOST_BYTES
from app.store import tables
from app.store.database import Database
from tests.recorded import bodies, body
from tests.unit.app.conftest import Door, settings_with

FAILED = bodies("01")[3]
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def stored(door: Door) -> int:
    return await door.count(tables.inbox) + await door.count(tables.dead_letters)


@pytest.mark.parametrize(
    ("authorization", "cluster"),
    [
        ("Bearer first-token", "prod"),
        ("bearer second-token", "prod"),
        ("BEARER   first-token  ", "prod"),
        ("Bearer eu:token", "eu"),
        ("Bearer tökén".encode(), "us"),
        (basic("anybody", "first-token"), "prod"),
        (basic("", "eu:token"), "eu"),
        (basic("argo", "tökén"), "us"),
    ],
)
async def test_a_token_speaks_for_its_cluster_whatever_the_body_says(
    door: Door, authorization: str | bytes, cluster: str
) -> None:
    document = json.loads(FAILED) | {"cluster": "elsewhere"}
    answer = await door.notify(json.dumps(document), authorization)
    assert answer.status_code == 202
    assert answer.json()["disposition"] == "incident"
    async with door.db.read() as connection:
        for table in (tables.inbox, tables.incidents):
            assert (await connection.execute(select(table.c.cluster))).scalars().all() == [cluster]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer first-token2",
        "Bearer first-toke",
        "Bearer prod:first-token",
        "Bearer ops-token",
        "first-token",
        "Token first-token",
        "Digest first-token",
        basic("first-token", ""),
        basic("argo", "wrong"),
        "Basic first-token",
        "Basic not*base64",
        "Basic é".encode(),
        b"Bearer \xff\xfe",
        b"\xff",
        "Bearer $selfheal-token",
    ],
)
async def test_a_stranger_is_refused_and_nothing_is_stored(door: Door, authorization: str | bytes | None) -> None:
    answer = await door.notify(FAILED, authorization)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert await stored(door) == 0


async def test_a_stranger_is_refused_before_the_body_is_read(door: Door) -> None:
    asked = []

    async def content() -> AsyncIterator[bytes]:
        asked.append("for the body")
        yield FAILED

    assert (await door.notify(content(), "Bearer wrong")).status_code == 401
    assert asked == []
    assert (await door.notify(content())).status_code == 202
    assert asked


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b"\n ", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not UTF-8"),
        (b"{", "not JSON"),
        (b"[1]", "not an object"),
        (b'{"a":' * 5000, "nested"),
        (b'{"a": 1e999}', "not JSON"),
    ],
)
async def test_an_unreadable_body_is_accepted_and_kept_for_a_person(door: Door, raw: bytes, reason: str) -> None:
    answer = await door.notify(raw)
    assert answer.status_code == 202
    assert answer.json()["disposition"] == "dead-letter"
    assert answer.json()["incident"] is None
    assert reason in answer.json()["reason"]
    assert (await door.count(tables.dead_letters), await door.count(tables.inbox)) == (1, 0)


async def test_a_dead_letter_is_kept_without_its_secrets(door: Door) -> None:
    raw = f'{{"token": "{SECRET}", "broken'.encode() + b"\x00\xff"
    await door.notify(raw)
    async with door.db.read() as connection:
        letter = (await connection.execute(select(tables.dead_letters))).one()
    kept = zlib.decompress(letter.body).decode()
    assert SECRET not in kept
    assert "broken" in kept
    assert (letter.cluster, letter.size) == ("prod", len(raw))


async def test_a_body_is_kept_without_its_secrets_wherever_they_stand(door: Door) -> None:
    document = body("01", 4)
    document["rollout"]["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "API_TOKEN", "value": "hunter2!x"}
    ]
    document["rollout"]["status"]["message"] = f"cannot pull with {SECRET}"
    await door.notify(json.dumps(document))
    await door.notify(json.dumps(document | {"trigger": SECRET}))
    document["rollout"]["kind"] = SECRET
    answer = await door.notify(json.dumps(document))
    assert SECRET not in answer.text
    async with door.db.read() as connection:
        rows = (await connection.execute(select(tables.inbox))).all()
        items = (await connection.execute(select(tables.bundle_items.c.content))).scalars().all()
    everything = "".join(zlib.decompress(row.body).decode() + str(row) for row in rows)
    everything += "".join(zlib.decompress(item).decode() for item in items)
    assert "cannot pull with" in everything
    assert SECRET not in everything
    assert "hunter2!x" not in everything


@pytest.mark.parametrize("size", [MOST_BYTES, MOST_BYTES + 1, 20 * 1024 * 1024])
async def test_up_to_eight_mebibytes_are_taken_announced_or_not(door: Door, size: int) -> None:
    raw = b"x" * size

    async def unannounced() -> AsyncIterator[bytes]:
        for at in range(0, size, 256 * 1024):
            yield raw[at : at + 256 * 1024]

    expected = 202 if size <= MOST_BYTES else 413
    for content in (raw, unannounced()):
        answer = await door.notify(content)
        assert answer.status_code == expected
    if expected == 413:
        assert answer.headers["content-type"] == "application/problem+json"
        assert str(MOST_BYTES) in answer.json()["detail"]
        assert await stored(door) == 0


async def test_what_the_announced_length_says_is_not_trusted(door: Door) -> None:
    headers = {"Authorization": "Bearer first-token", "Content-Length": "²".encode("latin-1")}
    request = door.client.build_request("POST", "/webhooks/argo-rollouts", content=FAILED, headers=headers)  # type: ignore[arg-type] # as above
    assert (await door.client.send(request)).status_code == 202


async def test_the_answer_names_the_incident_which_is_there_soon_after(door: Door) -> None:
    answer = await door.notify(FAILED)
    document = answer.json()
    assert document == {"disposition": "incident", "reason": None, "incident": document["incident"]}
    shown = (await door.get(f"/api/v1/incidents/{document['incident']}")).json()
    assert (shown["state"], shown["rollout"], shown["attempt"]) == ("capturing", "checkout", 1)
    assert list(door.queue.entries) == [f"{document['incident']}-1"]


@pytest.mark.parametrize(
    ("raw", "disposition"),
    [(bodies("01")[0], "signal"), (FAILED.replace(b'"Rollout"', b'"AnalysisRun"'), "unsupported-kind")],
)
async def test_what_is_no_failure_is_stored_and_starts_nothing(door: Door, raw: bytes, disposition: str) -> None:
    answer = await door.notify(raw)
    assert (answer.status_code, answer.json()["disposition"]) == (202, disposition)
    assert (await door.count(tables.inbox), await door.count(tables.incidents)) == (1, 0)


async def test_delivered_many_times_at_once_it_is_one_row_and_one_incident(door: Door) -> None:
    answers = await asyncio.gather(*(door.notify(FAILED) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["incident"] for answer in answers}) == 1
    assert (await door.count(tables.inbox), await door.count(tables.attempts)) == (1, 1)
    async with door.db.read() as connection:
        assert (await connection.execute(select(tables.inbox.c.deliveries))).scalar_one() == 20


async def test_without_a_database_the_caller_is_told_to_try_again(door: Door) -> None:
    async with door.db.write() as connection:
        await connection.run_sync(tables.inbox.drop)
    answer = await door.notify(FAILED)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "inbox" not in answer.text
    assert (await door.client.get("/readyz")).status_code == 503


async def test_insecure_dev_takes_every_caller_until_tokens_are_set(store: Database, tmp_path: Path) -> None:
    tokenless = settings_with(tmp_path, webhook_tokens="", api_tokens="", insecure_dev=True)
    open_door = Door(store, tokenless)
    assert (await open_door.notify(FAILED, None)).status_code == 202
    listed = (await open_door.get("/api/v1/incidents", None)).json()["incidents"]
    assert [one["cluster"] for one in listed] == ["dev"]
    guarded = Door(store, settings_with(tmp_path, insecure_dev=True))
    assert (await guarded.notify(FAILED, None)).status_code == 401
    assert (await guarded.get("/api/v1/incidents", None)).status_code == 401
    await open_door.client.aclose()
    await guarded.client.aclose()
