"""What any `Cluster` promises, held by the fake and by a folder of bundles; then what only a folder can do to us."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.evidence import ITEM_BYTES, Cluster, Kind, LogSource, Target
from app.adapters.bundle_dir import BundleDirectory
from tests.fakes import FakeCluster

TARGET = Target(cluster="eu", namespace="shop", rollout="checkout", canary_hash="bad", stable_hash="good")
LOG = LogSource(side="canary", pod="p1", container="app")
Objects = Mapping[Kind, Sequence[dict[str, Any]]]
Build = Callable[[Objects, Mapping[str, str]], Cluster]
FOLDERS = {"configmap": "config"}


def thing(name: str, created: str = "2026-11-24T12:00:00Z", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", "creationTimestamp": created}} | more


def lay_out(root: Path, objects: Objects, logs: Mapping[str, str]) -> Path:
    folder = root / "eu" / "shop" / "checkout" / "bad"
    for kind, things in objects.items():
        if kind == "event":
            write(folder / "events.json", json.dumps(list(things)))
            continue
        for one in things:
            write(folder / FOLDERS.get(kind, f"objects/{kind}") / f"{one['metadata']['name']}.json", json.dumps(one))
    for item, text in logs.items():
        write(folder / f"{item}.log", text)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(params=["fake", "folder"])
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Build:
    def make(objects: Objects, logs: Mapping[str, str]) -> Cluster:
        if request.param == "fake":
            return FakeCluster(objects, logs)
        lay_out(tmp_path, objects, logs)
        return BundleDirectory(tmp_path)

    return make


@pytest.mark.parametrize("kind", ["rollout", "replicaset", "pod", "analysisrun", "event", "configmap", "application"])
async def test_objects_come_as_they_are_oldest_first(build: Build, kind: Kind) -> None:
    young, old = thing("a", "2026-11-24T12:00:01Z", spec={"x": 1}), thing("b", "2026-11-24T12:00:00Z")
    cluster = build({kind: [young, old]}, {})
    found = await cluster.objects(TARGET, kind)
    assert found.status == "ok"
    assert {one["metadata"]["name"]: one for one in found.objects} == {"a": young, "b": old}
    if kind != "event":
        assert [one["metadata"]["name"] for one in found.objects] == ["b", "a"]


async def test_no_objects_of_a_kind_is_empty_not_failed(build: Build) -> None:
    found = await build({"pod": [thing("p1")]}, {}).objects(TARGET, "analysisrun")
    assert (found.status, found.objects) == ("empty", ())


async def test_a_log_has_its_text_or_a_reason(build: Build) -> None:
    cluster = build(
        {}, {LOG.item_id: "one\ntwo\n", "logs/canary/p1/app.previous": "before\n", "logs/stable/p2/app": ""}
    )
    assert (await cluster.log(TARGET, LOG)).text == "one\ntwo\n"
    assert (await cluster.log(TARGET, LOG.model_copy(update={"previous": True}))).text == "before\n"
    empty = await cluster.log(TARGET, LogSource(side="stable", pod="p2", container="app"))
    assert (empty.status, empty.text) == ("empty", "")
    gone = await cluster.log(TARGET, LogSource(side="canary", pod="p9", container="app"))
    assert (gone.status, gone.text) == ("gone", "")
    assert gone.reason


async def test_a_rollout_is_found_by_its_name(build: Build) -> None:
    cluster = build({"rollout": [thing("checkout")]}, {})
    found = await cluster.find("eu", "shop", "checkout")
    assert (found.status, [one["metadata"]["name"] for one in found.objects]) == ("ok", ["checkout"])
    for namespace, rollout in (("shop", "other"), ("other", "checkout")):
        missing = await cluster.find("eu", namespace, rollout)
        assert (missing.status, missing.objects) == ("gone", ())
        assert missing.reason


async def test_the_newest_version_that_is_kept_answers_for_a_rollout(tmp_path: Path) -> None:
    for at, name in enumerate(("old", "new", "empty")):
        folder = tmp_path / "eu" / "shop" / "checkout" / name
        folder.mkdir(parents=True)
        if name != "empty":
            write(folder / "objects/rollout/checkout.json", json.dumps(thing("checkout", spec={"from": name})))
        os.utime(folder, (at, at))
    found = await BundleDirectory(tmp_path).find("eu", "shop", "checkout")
    assert [one["spec"]["from"] for one in found.objects] == ["new"]


async def test_another_canary_of_the_rollout_is_gone(tmp_path: Path) -> None:
    lay_out(tmp_path, {"pod": [thing("p1")]}, {LOG.item_id: "x"})
    cluster, other = BundleDirectory(tmp_path), TARGET.model_copy(update={"canary_hash": "other"})
    assert (await cluster.objects(other, "pod")).status == "gone"
    assert (await cluster.log(other, LOG)).status == "gone"


HOSTILE = ["..", ".", "", "/etc", "../eu", "a/b", "a\\b", "nul\0byte", "x" * 5000, "\udcff", "link", "ring"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("part", ["cluster", "namespace", "rollout", "canary_hash"])
async def test_no_name_leads_out_of_the_folder(tmp_path: Path, part: str, name: str) -> None:
    root = tmp_path / "root"
    folder = lay_out(root, {"rollout": [thing("checkout")], "pod": [thing("p1")]}, {LOG.item_id: "secret"})
    outside = lay_out(tmp_path / "outside", {"rollout": [thing("checkout")], "pod": [thing("p1")]}, {LOG.item_id: "x"})
    for place, aim in zip(
        [root, *list(folder.parents)[:3]],
        [outside.parents[2], outside, outside.parent, outside.parents[1]],
        strict=True,
    ):
        (place / "link").symlink_to(aim)
        (place / "ring").symlink_to(place / "ring")
    cluster, target = BundleDirectory(root), TARGET.model_copy(update={part: name})
    assert (await cluster.objects(target, "pod")).status == "gone"
    assert (await cluster.log(target, LOG)).status == "gone"
    if part != "canary_hash":
        assert (await cluster.find(target.cluster, target.namespace, target.rollout)).status == "gone"


@pytest.mark.parametrize("name", ["..", "../../..", "/etc/passwd", "nul\0byte", "x" * 5000, "\udcff"])
@pytest.mark.parametrize("part", ["pod", "container"])
async def test_no_pods_name_leads_to_another_log(tmp_path: Path, part: str, name: str) -> None:
    folder = lay_out(tmp_path, {"pod": [thing("p1")]}, {LOG.item_id: "x"})
    write(folder / "passwd.log", "outside")
    write(folder.parent / "passwd.log", "outside")
    found = await BundleDirectory(tmp_path).log(TARGET, LOG.model_copy(update={part: name}))
    assert found.status == "gone"


async def test_a_log_of_another_canary_is_not_reached_through_a_name(tmp_path: Path) -> None:
    folder = lay_out(tmp_path, {}, {LOG.item_id: "mine"})
    write(folder.parent / "other" / "app.log", "theirs")
    source = LOG.model_copy(update={"pod": "../../../../other"})
    assert (await BundleDirectory(tmp_path).log(TARGET, source)).status == "gone"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'"text"', b"null", b"\xff\xfe", b"[" * 100_000, b"1" * 5000, b"\0"],
    ids=["empty", "cut", "list", "text", "null", "binary", "deep", "digits", "nul"],
)
async def test_what_is_no_json_object_is_a_failure_with_the_files_name(tmp_path: Path, content: bytes) -> None:
    folder = lay_out(tmp_path, {"pod": [thing("p1")]}, {})
    (folder / "objects/pod/p2.json").write_bytes(content)
    found = await BundleDirectory(tmp_path).objects(TARGET, "pod")
    assert (found.status, found.objects) == ("failed", ())
    assert "p2.json" in str(found.reason)


@pytest.mark.parametrize("content", ["", "{}", "[1]", "[" * 100_000])
async def test_events_that_are_no_list_of_objects_are_a_failure(tmp_path: Path, content: str) -> None:
    folder = lay_out(tmp_path, {}, {})
    write(folder / "events.json", content)
    assert (await BundleDirectory(tmp_path).objects(TARGET, "event")).status == "failed"


@pytest.mark.parametrize("metadata", [None, [], "x", {}, {"creationTimestamp": 7}, {"creationTimestamp": None}])
async def test_an_object_without_a_time_is_an_object(tmp_path: Path, metadata: object) -> None:
    folder = lay_out(tmp_path, {"pod": [thing("p1")]}, {})
    write(folder / "objects/pod/p2.json", json.dumps({"metadata": metadata}))
    found = await BundleDirectory(tmp_path).objects(TARGET, "pod")
    assert (found.status, len(found.objects)) == ("ok", 2)


async def test_links_pipes_and_folders_in_a_files_place_are_not_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    folder = lay_out(root, {"pod": [thing("p1")]}, {LOG.item_id: "x"})
    write(tmp_path / "outside.json", json.dumps(thing("secret")))
    write(tmp_path / "outside.log", "secret")
    cluster = BundleDirectory(root)
    for number, place in enumerate((tmp_path / "outside.json", tmp_path / "nowhere", folder / "objects/pod/l2.json")):
        link = folder / f"objects/pod/l{number}.json"
        link.symlink_to(place)
        assert (await cluster.objects(TARGET, "pod")).status == "failed"
        link.unlink()
    os.mkfifo(folder / "objects/pod/pipe.json")
    assert (await cluster.objects(TARGET, "pod")).status == "failed"
    (folder / "logs/canary/p1/out.log").symlink_to(tmp_path / "outside.log")
    (folder / "logs/canary/p1/dir.log").mkdir()
    os.mkfifo(folder / "logs/canary/p1/pipe.log")
    for container in ("out", "dir", "pipe"):
        assert (await cluster.log(TARGET, LOG.model_copy(update={"container": container}))).status == "gone"


async def test_a_folder_that_is_not_there_keeps_nothing(tmp_path: Path) -> None:
    cluster = BundleDirectory(tmp_path / "nowhere")
    assert (await cluster.find("eu", "shop", "checkout")).status == "gone"
    assert (await cluster.objects(TARGET, "pod")).status == "gone"


async def test_a_binary_log_is_text_with_marks_in_it(tmp_path: Path) -> None:
    folder = lay_out(tmp_path, {}, {LOG.item_id: ""})
    (folder / f"{LOG.item_id}.log").write_bytes(b"ok\r\n\xff\xfe\0\n")
    assert (await BundleDirectory(tmp_path).log(TARGET, LOG)).text == "ok\r\n\ufffd\ufffd\0\n"


async def test_a_log_that_is_too_long_for_a_bundle_is_cut_as_it_is_read(tmp_path: Path) -> None:
    lines = [f"INFO request {at} {'x' * 90}" for at in range(100_000)]
    lines[33_000] = "WARN the cause"
    write(tmp_path / f"eu/shop/checkout/bad/{LOG.item_id}.log", "\n".join(lines))
    found = await BundleDirectory(tmp_path).log(TARGET, LOG)
    assert found.status == "truncated"
    assert found.cut is not None
    assert (found.cut.of, found.text.splitlines()[-1]) == (len(lines), lines[-1])
    assert "\n".join(lines[32_998:33_003]) in found.text
    assert len(found.text) < ITEM_BYTES
