"""Which Argo CD Application deploys a Rollout, and what it deployed when."""

from typing import Any

import pytest

from agents.evidence import Answer, Bundle, ManifestSource, Target, Unlocated, locate_manifests, seal
from agents.evidence.relations import relate
from agents.incident import Incident
from tests.fakes import START

GITOPS = "https://git.example/acme/gitops"
CHARTS = {"repoURL": "https://charts.example", "chart": "shop", "targetRevision": "1.2.3"}
VALUES = {"repoURL": GITOPS, "ref": "values"}
FOLDER = {"repoURL": GITOPS, "path": "apps/checkout"}
TRACKING = "argocd.argoproj.io/tracking-id"
OURS = {"group": "argoproj.io", "kind": "Rollout", "namespace": "shop", "name": "checkout"}
FOUND = ManifestSource(repo=GITOPS, path="apps/checkout", stable="m1", canary="m2")


def application(name: str = "checkout", namespace: str = "argocd", **parts: Any) -> dict[str, Any]:
    spec = parts.pop("spec", {"source": FOLDER})
    history = [
        {"revision": "m1", "deployedAt": "2026-11-24T10:00:00Z"},
        {"revision": "m2", "deployedAt": "2026-11-24T12:00:00Z"},
    ]
    status = {"history": history} | parts
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec, "status": status}


def bundle(*applications: dict[str, Any], tracking: str | None = None, instance: str | None = None) -> Bundle:
    incident = Incident(
        cluster="eu",
        namespace="shop",
        rollout="checkout",
        uid="u",
        canary_hash="bad",
        revision="3",
        stable_hash="good",
    )
    annotations = {TRACKING: tracking} if tracking else {}
    labels = {"app.kubernetes.io/instance": instance} if instance else {}
    rollout = {"metadata": {"name": "checkout", "annotations": annotations, "labels": labels}}
    things: list[tuple[str, str, dict[str, Any]]] = [("rollout", "checkout", rollout)]
    for hash_, created in (("good", "2026-11-24T10:00:02Z"), ("bad", "2026-11-24T12:00:02Z")):
        metadata = {"labels": {"rollouts-pod-template-hash": hash_}, "creationTimestamp": created}
        things.append(("replicaset", hash_, {"metadata": metadata}))
    things += [("application", f"{at}", one) for at, one in enumerate(applications)]
    answers = [
        Answer(id=f"objects/{kind}/{name}", kind="object", side="none", status="ok", content=one)
        for kind, name, one in things
    ]
    return seal(incident, 1, answers, START)


def reason(found: ManifestSource | Unlocated) -> str:
    assert isinstance(found, Unlocated)
    return found.reason


def test_an_application_of_another_namespace_is_told_from_its_namesake() -> None:
    other = application(namespace="argocd", spec={"source": FOLDER | {"path": "elsewhere"}})
    ours = application(namespace="team-a")
    assert locate_manifests(bundle(other, ours, tracking="team-a_checkout:argoproj.io/Rollout:shop/checkout")) == FOUND
    lost = locate_manifests(bundle(other, tracking="team-b_checkout:argoproj.io/Rollout:shop/checkout"))
    assert "team-b_checkout, which was not captured" in reason(lost)


def test_without_a_tracking_id_the_application_that_lists_the_rollout_is_found() -> None:
    listing = application("release-7", resources=[{"kind": "Service", "name": "checkout"}, OURS])
    others = [application(f"other-{at}", resources=[OURS | {"name": "cart"}]) for at in range(2)]
    assert locate_manifests(bundle(*others, listing)) == FOUND


def test_the_instance_label_decides_only_among_those_that_list_the_rollout() -> None:
    helm = application("checkout", resources=[])
    assert "no Application lists" in reason(locate_manifests(bundle(helm, instance="checkout")))
    two = [application("checkout", resources=[OURS]), application("copy", resources=[OURS])]
    assert locate_manifests(bundle(*two, instance="checkout")) == FOUND
    assert "several Applications list" in reason(locate_manifests(bundle(*two)))


def test_an_application_that_deploys_to_another_cluster_makes_way_for_the_one_of_this_cluster() -> None:
    here = application("here", resources=[OURS], spec={"source": FOLDER, "destination": {"name": "in-cluster"}})
    far = application(
        "far", resources=[OURS], spec={"source": FOLDER, "destination": {"server": "https://far.example"}}
    )
    assert locate_manifests(bundle(far, here)) == FOUND


def test_of_several_sources_the_one_with_a_folder_is_taken_with_its_own_revision() -> None:
    sources = [CHARTS, FOLDER, VALUES]
    history = [
        {"revisions": ["1.2.3", "m1", "v1"], "sources": sources, "deployedAt": "2026-11-24T10:00:00Z"},
        {"revisions": ["v2", "m2", "1.2.4"], "sources": [VALUES, FOLDER, CHARTS], "deployedAt": "2026-11-24T12:00:00Z"},
    ]
    one = application(spec={"sources": sources}, history=history, resources=[OURS])
    assert locate_manifests(bundle(one)) == FOUND
    bare = [{key: value for key, value in entry.items() if key != "sources"} for entry in history]
    bare[1]["revisions"] = ["1.2.3", "m2", "v2"]
    assert locate_manifests(bundle(application(spec={"sources": sources}, history=bare, resources=[OURS]))) == FOUND


@pytest.mark.parametrize(
    "sources", [[CHARTS, VALUES], [FOLDER, FOLDER | {"path": "base"}], [CHARTS], "x", [FOLDER, VALUES, CHARTS]]
)
def test_sources_that_are_not_one_folder_are_not_guessed(sources: Any) -> None:
    history = [{"revisions": ["m1", "m2"], "sources": sources, "deployedAt": "2026-11-24T10:00:00Z"}]
    one = application(spec={"sources": sources}, history=history, resources=[OURS])
    assert "nothing from one Git folder" in reason(locate_manifests(bundle(one)))


def test_a_sync_that_is_not_over_yet_brought_the_canary() -> None:
    first = [{"revision": "m1", "deployedAt": "2026-11-24T10:00:00Z"}]
    operation = {"startedAt": "2026-11-24T11:59:58Z", "syncResult": {"revision": "m2", "source": FOLDER}}
    assert locate_manifests(bundle(application(history=first, operationState=operation, resources=[OURS]))) == FOUND
    over = operation | {"finishedAt": "2026-11-24T12:00:03Z"}
    assert locate_manifests(bundle(application(operationState=over, resources=[OURS]))) == FOUND


def test_an_entry_of_the_history_counts_with_the_folder_it_was_deployed_from() -> None:
    moved = [
        {"revision": "m1", "deployedAt": "2026-11-24T10:00:00Z", "source": FOLDER | {"path": "old/checkout"}},
        {"revision": "m2", "deployedAt": "2026-11-24T12:00:00Z", "source": FOLDER},
    ]
    assert "different folders" in reason(locate_manifests(bundle(application(history=moved, resources=[OURS]))))


def test_a_hydrated_application_is_left_alone_since_its_branch_is_generated() -> None:
    spec = {"source": FOLDER, "sourceHydrator": {"drySource": FOLDER}}
    assert "generated" in reason(locate_manifests(bundle(application(spec=spec, resources=[OURS]))))


@pytest.mark.parametrize(
    ("tracking", "labels", "asked"),
    [
        ("team-a_checkout:argoproj.io/Rollout:shop/checkout", {}, ("team-a_checkout",)),
        ("copied:argoproj.io/Rollout:shop/another", {"app.kubernetes.io/instance": "release-7"}, ("release-7",)),
        ("", {"app.kubernetes.io/instance": "release-7"}, ("release-7",)),
        ("", {}, ()),
    ],
)
def test_a_cluster_is_asked_for_the_application_of_the_tracking_id_else_of_the_label(
    tracking: str, labels: dict[str, str], asked: tuple[str, ...]
) -> None:
    rollout = {"metadata": {"name": "checkout", "annotations": {TRACKING: tracking}, "labels": labels}}
    target = Target(cluster="eu", namespace="shop", rollout="checkout", canary_hash="bad", stable_hash="good")
    assert relate({"rollout": [rollout]}, target).names.get("application", ()) == asked


def test_no_application_is_said_so() -> None:
    assert reason(locate_manifests(bundle())) == "no Argo CD Application was captured"
