import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from agents.redaction import Redactor
from app.notification import FAILURES, Notification, Unreadable, identify, read
from app.store import inbox
from app.store.database import Database
from tests.fakes import START
from tests.recorded import SCENARIOS, bodies, body

# one letter a body, in the order they came: s(ignal), i(ncident)
WHAT_THEY_DO = {
    "01": "siii", "02": "siii", "03": "siii", "04": "si", "05": "siii", "06": "siii", "07": "si", "08": "siii",
    "09": "si", "10": "siii", "11": "siii", "12": "si", "13": "sii", "14": "siiiiiis", "15": "siiis", "16": "siiii",
    "17a": "siiii", "17b": "siii", "18": "siii", "19": "siii", "20": "s" + 16 * "i", "21": "s" + 8 * "i",
    "22": "siii", "23": "si", "24": "siii", "25": "siii", "26": "siii", "27": "siiii", "28": "siii", "29": "s",
    "30": "si", "31": "sii",
}  # fmt: skip


def parse(document: object) -> Notification:
    return read(json.dumps(document).encode(), "prod")


def changed(number: str, at: int, **changes: Any) -> dict[str, Any]:
    """A recorded body with values put at paths of its Rollout, `__` for a step; None takes the value away."""
    document = body(number, at)
    for path, value in changes.items():
        *way, last = path.split("__")
        here = document["rollout"]
        for step in way:
            here = here[step]
        if value is None:
            here.pop(last)
        else:
            here[last] = value
    return document


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_recorded_notification_does_what_the_design_says(scenario: str) -> None:
    number = scenario.partition("-")[0]
    found = [read(raw, "prod") for raw in bodies(number)]
    assert "".join(one.disposition[0] for one in found) == WHAT_THEY_DO[number]
    assert all(one.namespace and one.rollout for one in found)
    for one in found:
        assert (one.sighting is not None) == (one.disposition == "incident")
        if one.sighting:
            incident = one.sighting.incident
            assert incident.cluster == "prod"
            assert incident.canary_hash != incident.stable_hash
            assert incident.revision.isdigit()


def test_the_abort_and_the_newest_failed_analysis_are_read_from_the_body() -> None:
    first, second = (read(bodies("14")[at], "prod").sighting for at in (3, 6))
    assert first
    assert second
    assert first.aborted_at
    assert second.failed_at
    assert first.aborted_at.isoformat() == "2026-11-23T07:41:59+00:00"
    assert second.failed_at.isoformat() == "2026-11-23T07:42:42+00:00"
    early = read(bodies("14")[1], "prod").sighting
    assert early
    assert early.aborted_at is None


def test_failed_analyses_of_another_version_do_not_count() -> None:
    document = body("14", 7)
    document["analysisRuns"][0]["metadata"]["labels"]["rollouts-pod-template-hash"] = "0123456789"
    sighting = parse(document).sighting
    assert sighting
    assert sighting.failed_at
    assert sighting.failed_at.isoformat() == "2026-11-23T07:41:56+00:00"


@pytest.mark.parametrize(
    ("document", "disposition", "reason"),
    [
        (changed("01", 4, kind=None), "incident", None),
        (changed("19", 4, spec__template={"metadata": {}, "spec": {"containers": None}}), "incident", None),
        (changed("01", 4, status__stableRS=None), "ignored", "no stable version"),
        (changed("01", 4, status__stableRS=""), "ignored", "no stable version"),
        (changed("01", 4, status__stableRS="7fdfff8c97"), "ignored", "stable one"),
        (changed("01", 4, status=None), "ignored", "no stable version"),
        (changed("01", 4, metadata__uid=None), "ignored", "uid"),
        (changed("01", 4, metadata__uid="x" * 300), "ignored", "uid"),
        (changed("01", 4, metadata__name="../../etc"), "ignored", "name"),
        (changed("01", 4, metadata__namespace="a\nb"), "ignored", "namespace"),
        (changed("01", 4, metadata__annotations={"selfheal.io/enabled": "false"}), "ignored", "enabled"),
        (changed("01", 4, metadata__annotations={"selfheal.io/enabled": "False"}), "ignored", "enabled"),
        (changed("01", 4, metadata__annotations={"selfheal.io/enabled": "true"}), "incident", None),
        (changed("01", 4, kind="AnalysisRun"), "unsupported-kind", "AnalysisRun is not a Rollout"),
        (changed("01", 4, kind="Experiment"), "unsupported-kind", "Experiment is not a Rollout"),
        (changed("01", 4, kind=7), "unsupported-kind", "not a Rollout"),
        (changed("01", 4, kind=None, spec={"metrics": []}), "unsupported-kind", "not a Rollout"),
        (changed("01", 4, kind=None, spec={"templates": []}), "unsupported-kind", "not a Rollout"),
        (changed("01", 4) | {"trigger": "on-rollout-paused"}, "unsupported-kind", "on-rollout-paused"),
        (changed("01", 4) | {"trigger": ["on-rollout-aborted"]}, "unsupported-kind", "trigger None"),
        (changed("01", 4) | {"rollout": None}, "unsupported-kind", "no Rollout"),
        ({}, "unsupported-kind", "no Rollout"),
        (changed("01", 4) | {"trigger": "on-skip-steps"}, "signal", None),
    ],
)
def test_the_table_of_what_a_notification_does(document: object, disposition: str, reason: str | None) -> None:
    found = parse(document)
    assert found.disposition == disposition
    assert (found.reason is None) == (reason is None)
    assert reason is None or reason in str(found.reason)


def test_the_cluster_is_the_callers_whatever_the_body_says() -> None:
    document = changed("01", 4, metadata__clusterName="other") | {"cluster": "other"}
    sighting = parse(document).sighting
    assert sighting
    assert sighting.incident.cluster == "prod"


def test_a_rollout_without_a_revision_is_still_an_incident() -> None:
    incident = identify(changed("01", 4, metadata__annotations=None)["rollout"], "prod")
    assert not isinstance(incident, str)
    assert incident.revision == ""


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" \n",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"7",
        b"\x00\x01\xff\xfe",
        b"\x89PNG\r\n\x1a\n",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e400}',
        b'{"a": -1e400}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' * 200 + b"1" + b"}" * 200,
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"{" * 100_000,
        b'{"a": 1} trailing',
        b"key=value&other=1",
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_what_is_no_json_object_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable, match="the body"):
        read(raw, "prod")


def test_a_byte_order_mark_and_repeated_keys_are_borne() -> None:
    raw = b"\xef\xbb\xbf" + bodies("01")[3].replace(b'"trigger":', b'"trigger":"on-skip-steps","trigger":', 1)
    assert read(raw, "prod").disposition == "incident"


HOSTILE: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**400,
    1.5e300,
    "",
    "\x00",
    "a\x00b",
    "\ud800",
    "x\udfffy",
    "x" * 100_000,
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    [],
    [[["x"]]],
    {},
    {"\x00\ud800": {"name": ["\x00"]}},
)


def places(document: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a document."""
    yield way
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in parts:
        yield from places(value, (*way, key))


def put(document: Any, way: tuple[Any, ...], value: Any) -> Any:
    if not way:
        return value
    here = document
    for step in way[:-1]:
        here = here[step]
    here[way[-1]] = value
    return document


def mutations(seed: int, count: int) -> Iterator[bytes]:
    """Recorded failures with one to four values replaced; what decides about them is hit more often."""
    dice = random.Random(seed)  # noqa: S311 - reproducible on purpose
    failures = [body(number, at) for number, at in (("14", 7), ("01", 2), ("19", 4), ("25", 2))]
    deciding = [
        ("trigger",), ("rollout",), ("analysisRuns",), ("rollout", "kind"), ("rollout", "spec"), ("rollout", "status"),
        ("rollout", "metadata"), ("rollout", "metadata", "annotations"), ("rollout", "metadata", "name"),
        ("rollout", "metadata", "namespace"), ("rollout", "metadata", "uid"), ("rollout", "status", "stableRS"),
        ("rollout", "status", "currentPodHash"), ("rollout", "status", "abortedAt"),
        ("analysisRuns", 0), ("analysisRuns", 0, "status", "phase"), ("analysisRuns", 0, "metadata", "labels"),
        ("analysisRuns", 0, "metadata", "creationTimestamp"),
        ("analysisRuns", 0, "metadata", "labels", "rollouts-pod-template-hash"),
    ]  # fmt: skip
    for _ in range(count):
        document = copy.deepcopy(dice.choice(failures))
        for _ in range(dice.randint(1, 4)):
            ways = [*places(document)]
            usual = [way for way in deciding if way in ways]
            way = dice.choice(usual if usual and dice.random() < 0.6 else ways)
            document = put(document, way, copy.deepcopy(dice.choice(HOSTILE)))
        yield json.dumps(document).encode()


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def is_storable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


@pytest.mark.parametrize("seed", range(4))
def test_hostile_values_anywhere_are_read_or_refused_and_nothing_else(seed: int) -> None:
    seen: set[str] = set()
    for raw in mutations(seed, 400):
        try:
            found = read(raw, "prod")
        except Unreadable:
            seen.add("unreadable")
            continue
        seen.add(found.disposition)
        assert (found.sighting is not None) == (found.disposition == "incident")
        assert found.disposition != "incident" or found.trigger in FAILURES
        assert all(is_storable(text) for text in strings(found.model_dump()))
        assert read(json.dumps(found.body).encode(), "prod").disposition == found.disposition
    assert seen >= {"incident", "ignored", "unsupported-kind"}


async def test_whatever_is_read_can_be_stored_and_is_read_back(db: Database) -> None:
    kept: dict[str, Notification] = {}
    for raw in mutations(99, 150):
        try:
            found = read(raw, "prod")
        except Unreadable:
            continue
        row = inbox.row_id("prod", raw)
        await inbox.put(db, row, "prod", found, Redactor().redact_json(found.body), START)
        kept[row] = found
    waiting = {one.id: one.sighting for one in await inbox.pending(db)}
    assert waiting == {row: found.sighting for row, found in list(kept.items()) if found.sighting}
    assert len(waiting) > 10
    assert all([await inbox.body_of(db, row) for row in list(kept)[:10]])
