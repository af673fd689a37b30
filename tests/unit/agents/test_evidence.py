import json
from collections.abc import Mapping
from typing import Any

import pytest

from agents.errors import Invalid
from agents.evidence import Answer, Bundle, Citation, Side, Status, cite_lines, from_files, holds, seal, to_files
from agents.evidence.sealing import BUNDLE_BYTES, ITEM_BYTES
from agents.incident import Incident
from agents.logs import cut
from agents.redaction import Redactor
from tests.fakes import START

INCIDENT = Incident(
    cluster="eu",
    namespace="shop",
    rollout="checkout",
    uid="u-1",
    canary_hash="bad",
    revision="2",
    stable_hash="good",
)


def log(text: str | None, name: str = "p1/app", side: Side = "canary", status: Status = "ok") -> Answer:
    return Answer(id=f"logs/{side}/{name}", kind="log", side=side, status=status, content=text)


def thing(id_: str, content: Any) -> Answer:
    return Answer(id=id_, kind="object", side="none", status="ok", content=content)


def sealed(*answers: Answer) -> Bundle:
    return seal(INCIDENT, 1, answers, START)


BUNDLE = sealed(
    log("2026 INFO up\n2026 ERROR failed: café\n"),
    Answer(id="events", kind="events", side="none", status="ok", content=[{"message": "Back-off"}]),
    Answer(id="notification", kind="notification", side="none", status="ok", content={"trigger": "x"}),
    thing("objects/pod/p1", {"spec": {"a/b": [{"m~n": "deep", "port": 80, "on": True}]}}),
    Answer(id="objects/analysisrun", kind="object", side="none", status="denied", reason="forbidden"),
)


def test_everything_that_was_asked_for_is_an_item_and_gaps_say_why() -> None:
    items = {item.id: item for item in BUNDLE.manifest.items}
    assert set(items) == {"logs/canary/p1/app", "events", "notification", "objects/pod/p1", "objects/analysisrun"}
    assert [(gap.id, gap.status, gap.reason) for gap in BUNDLE.gaps()] == [
        ("objects/analysisrun", "denied", "forbidden")
    ]
    assert (items["logs/canary/p1/app"].lines, items["logs/canary/p1/app"].bytes) == (2, 38)
    assert items["logs/canary/p1/app"].path == "logs/canary/p1/app.log"
    assert items["events"].path == "events.json"
    assert BUNDLE.manifest.incident == INCIDENT.key


def test_a_log_is_redacted_and_an_object_too_before_anybody_can_read_them() -> None:
    bundle = sealed(
        log("password=hunter2"), thing("objects/pod/p", {"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]})
    )
    files = to_files(bundle)
    assert not any("hunter2" in text for text in files.values())
    assert files["logs/canary/p1/app.log"].removeprefix("password=") in files["objects/pod/p.json"]


def test_placeholders_of_the_notification_are_not_mistaken_for_ours() -> None:
    body = {"password": "[REDACTED:secret:1]"}
    notification = Answer(id="notification", kind="notification", side="none", status="ok", content=body)
    bundle = sealed(thing("config/app", {"data": {"password": "hunter2"}}), notification)
    assert "[REDACTED:secret:2]" in bundle.contents["config/app"]


def test_of_a_huge_log_the_newest_lines_and_the_first_of_a_kind_stay_and_the_cut_is_recorded() -> None:
    lines = [f"INFO line {at} " + "x" * 90 for at in range(100_000)]
    lines[20_000:20_002] = ["Traceback (most recent call last):", "ValueError: the first one"]
    bundle = sealed(log("\n".join(lines)))
    (item,) = bundle.manifest.items
    text = bundle.contents[item.id]
    assert item.status == "truncated"
    assert item.cut is not None
    held = text.split("\n")
    gaps = [line for line in held if line.startswith("~~~~")]
    assert (item.cut.of, item.cut.kept) == (100_000, len(held) - len(gaps))
    assert item.bytes == len(text.encode()) <= ITEM_BYTES
    assert (held[0], held[-1]) == (lines[0], lines[-1])
    assert len(gaps) == 2
    at = held.index("ValueError: the first one")
    assert held[at - 3 : at + 3] == lines[19_998:20_004]
    assert holds(bundle, cite_lines(bundle, item.id, at + 1, at + 1))


def test_a_private_key_of_which_lines_are_cut_away_leaves_none_of_its_lines() -> None:
    key = [f"{at:02}aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF{at:02}aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC" for at in range(40)]
    flood = [f"INFO line {at} " + "x" * 90 for at in range(60_000)]
    whole = ["-----BEGIN PRIVATE KEY-----", *key, "-----END PRIVATE KEY-----"]
    lines = [*flood, *whole, *flood, *whole[:20], *flood]
    text = sealed(log("\n".join(lines))).contents["logs/canary/p1/app"]
    assert not any(line in text for line in key)


def test_a_secret_whose_name_is_in_a_line_that_is_cut_away_is_not_kept_without_it() -> None:
    flood = [f"INFO line {at} " + "x" * 90 for at in range(60_000)]
    entry = ["- name: DB_PASSWORD", "  value: hunter2", "INFO well", "ERROR what is said once"]
    noise = ["- name: SHOP_COLOUR", "  value: green"]
    text = sealed(log("\n".join([*noise, *flood, *entry, *flood]))).contents["logs/canary/p1/app"]
    assert "ERROR what is said once" in text
    assert "hunter2" not in text
    rows = "\n".join(["- name: DB_PASSWORD\n  value: hunter2\nINFO well"] * 500)
    for limit in range(3000, 3060):  # wherever the newest lines begin
        assert "hunter2" not in Redactor().redact_text(cut(rows, limit).text)


def test_a_log_that_grows_when_it_is_redacted_is_cut_once_and_says_so_rightly() -> None:
    lines = [f"INFO login {at} pw=s{at} ok" for at in range(400_000)]
    bundle = sealed(log("\n".join(lines)))
    (item,) = bundle.manifest.items
    held = bundle.contents[item.id].split("\n")
    gaps = [line for line in held if line.startswith("~~~~")]
    assert item.bytes <= ITEM_BYTES
    assert item.cut is not None
    assert (item.cut.kept, item.cut.of) == (len(held) - len(gaps), 400_000)
    assert sum(int(gap.split()[1]) for gap in gaps) == item.cut.of - item.cut.kept


def test_a_line_that_is_larger_than_an_item_keeps_its_beginning() -> None:
    bundle = sealed(log("INFO " + "word " * 2_000_000))
    (item,) = bundle.manifest.items
    assert item.status == "truncated"
    assert 1000 < item.bytes <= ITEM_BYTES
    assert bundle.contents[item.id].startswith("INFO word word")


def test_a_secret_at_the_edge_of_a_cut_is_not_half_kept() -> None:
    token = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF1234"
    line = "x " * (ITEM_BYTES // 8 - 12) + token + " " + "y" * (7 * ITEM_BYTES)
    text = sealed(log(line)).contents["logs/canary/p1/app"]
    assert "ghp_" not in text
    assert text.startswith("x x x")


def test_a_bundle_stays_within_its_size_and_what_finds_no_room_is_a_gap() -> None:
    chunk = ("INFO " + "x" * 95 + "\n") * 90_000
    bundle = sealed(
        *(log(chunk, name=f"p{at}/app") for at in range(5)), thing("objects/pod/big", {"a": "x" * 9_000_000})
    )
    items = {item.id: item for item in bundle.manifest.items}
    assert sum(item.bytes for item in items.values()) <= BUNDLE_BYTES
    assert (items["objects/pod/big"].status, items["objects/pod/big"].reason) == (
        "failed",
        "larger than a bundle may be",
    )
    assert "objects/pod/big" not in bundle.contents
    assert items["logs/canary/p0/app"].status == "truncated"
    assert items["logs/canary/p4/app"].status in {"failed", "truncated"}


def test_two_objects_of_one_name_are_both_kept() -> None:
    bundle = sealed(thing("objects/application/shop", {"n": 1}), thing("objects/application/shop", {"n": 2}))
    assert [one["n"] for one in bundle.objects("application")] == [1, 2]
    assert from_files(to_files(bundle)) == bundle


def test_halves_of_characters_do_not_break_the_seal() -> None:
    bundle = sealed(thing("config/x", {"data": {"a": "\ud800"}}), log("\udcff"))
    assert all(text.encode() for text in to_files(bundle).values())


@pytest.mark.parametrize("broken", [None, [], "text", {"template": None}, {"template": {"spec": {"containers": "x"}}}])
def test_an_object_of_an_unexpected_shape_does_not_break_the_seal(broken: Any) -> None:
    labels = {"rollouts-pod-template-hash": "bad"}
    bundle = sealed(
        thing("objects/replicaset/r", {"metadata": {"labels": labels, "annotations": broken}, "spec": broken}),
        thing("objects/rollout/checkout", {"metadata": {"name": "checkout"}, "spec": broken}),
    )
    assert bundle.manifest.canary.repo is None
    assert bundle.manifest.strategy is None


def test_files_and_back_again_is_the_same_bundle() -> None:
    files = to_files(BUNDLE)
    assert from_files(files) == BUNDLE
    assert json.loads(files["bundle.json"])["schema"] == "selfheal.bundle/v1"
    assert BUNDLE.notification == {"trigger": "x"}
    assert BUNDLE.objects("event") == ({"message": "Back-off"},)


def changed(**files: str | None) -> Mapping[str, str]:
    kept = {**to_files(BUNDLE), **files}
    return {path: text for path, text in kept.items() if text is not None}


MANIFEST = to_files(BUNDLE)["bundle.json"]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "bundle.json is missing"),
        (changed(**{"bundle.json": "{"}), "bundle.json: .*JSON"),
        (changed(**{"bundle.json": "[]"}), "bundle.json"),
        (changed(**{"bundle.json": MANIFEST.replace("bundle/v1", "bundle/v9")}), "bundle.json: schema"),
        (changed(**{"bundle.json": MANIFEST.replace('"shop"', "7")}), "bundle.json: namespace"),
        (changed(**{"bundle.json": MANIFEST.replace('"denied"', '"fine"')}), "status"),
        (changed(**{"logs/canary/p1/app.log": None}), "logs/canary/p1/app.log"),
        (changed(**{"events.json": "{}"}), "events.json is not a JSON list"),
        (changed(**{"events.json": "[1]"}), "events.json is not a JSON list"),
        (changed(**{"notification.json": "[" * 100_000}), "notification.json is not JSON"),
        (changed(**{"objects/pod/p1.json": "not json"}), "objects/pod/p1.json is not JSON"),
        (changed(**{"objects/pod/p1.json": '"text"'}), "objects/pod/p1.json is not a JSON object"),
        (changed(**{"bundle.json": MANIFEST.replace('"notification"', '"events"', 1)}), "twice|not a JSON"),
    ],
)
def test_what_is_no_bundle_is_refused_by_name(files: Mapping[str, str], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        from_files(files)


def test_a_file_in_the_place_of_a_gap_is_not_taken_for_evidence() -> None:
    bundle = from_files(changed(**{"objects/analysisrun.json": '{"status": {"phase": "Failed"}}'}))
    assert "objects/analysisrun" not in bundle.contents


@pytest.mark.parametrize(
    ("ref", "quote", "held"),
    [
        ("logs/canary/p1/app#L1-2", "INFO up\n2026 ERROR", True),
        ("logs/canary/p1/app#L2-2", "failed: café", True),
        ("logs/canary/p1/app#L1-1", "failed", False),
        ("logs/canary/p1/app#L2-1", "failed", False),
        ("logs/canary/p1/app#L0-2", "failed", False),
        ("logs/canary/p1/app#L2-99", "failed", False),
        ("logs/canary/p1/app#L2", "failed", False),
        ("logs/canary/p1/app#L²-3", "failed", False),
        (f"logs/canary/p1/app#L1-{'9' * 5000}", "failed", False),
        ("logs/canary/p1/app#/message", "failed", False),
        ("logs/canary/p1/app", "failed", False),
        ("logs/canary/p2/app#L1-1", "INFO", False),
        ("logs/canary/p1/app#L1-1", " ", False),
        ("objects/pod/p1#/spec/a~1b/0/m~0n", "deep", True),
        ("objects/pod/p1#/spec/a~1b/0/port", "80", True),
        ("objects/pod/p1#/spec/a~1b/0/on", "true", True),
        ("objects/pod/p1#/spec/a~1b/0", '"m~n": "deep"', True),
        ("objects/pod/p1#/spec/a~1b/1", "deep", False),
        ("objects/pod/p1#/spec/a~1b/01", "deep", False),
        ("objects/pod/p1#/spec/a~1b/²", "deep", False),
        ("objects/pod/p1#/spec/wrong", "deep", False),
        ("objects/pod/p1#/spec/a~1b/0/m~0n/x", "deep", False),
        ("objects/pod/p1#spec", "deep", False),
        ("objects/pod/p1#", "deep", False),
        ("objects/analysisrun#/status", "x", False),
        ("events#/0/message", "Back-off", True),
    ],
)
def test_a_citation_holds_only_if_the_place_exists_and_says_so(ref: str, quote: str, held: bool) -> None:  # noqa: FBT001 - a column of the table
    assert holds(BUNDLE, Citation(ref=ref, quote=quote)) is held
