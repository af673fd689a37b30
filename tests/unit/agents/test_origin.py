"""Where the two versions' code and manifests come from."""

from typing import Any

import pytest

from agents.evidence import Answer, Bundle, ManifestSource, Version, manifest_source, seal, version_of
from agents.incident import Incident
from tests.fakes import START

REPO = "https://git.example/acme/shop"
TRACKING = "checkout:argoproj.io/Rollout:shop/checkout"
GITOPS = "https://git.example/acme/gitops"


def replica_set(hash_: str, created: str = "2026-11-24T10:00:00Z", **annotations: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"checkout-{hash_}",
            "labels": {"rollouts-pod-template-hash": hash_},
            "annotations": {f"selfheal.io/{key.replace('_', '-')}": value for key, value in annotations.items()},
            "creationTimestamp": created,
        },
        "spec": {"template": {"spec": {"containers": [{"image": f"shop:{hash_}"}]}}},
    }


def rollout(current: str = "bad", tracking: str = TRACKING) -> dict[str, Any]:
    annotations = {
        "selfheal.io/source-repo": REPO,
        "selfheal.io/source-revision": "r2",
        "argocd.argoproj.io/tracking-id": tracking,
    }
    return {
        "metadata": {"name": "checkout", "namespace": "shop", "annotations": annotations},
        "status": {"currentPodHash": current},
    }


def application(*history: tuple[str, str], name: str = "checkout", **source: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"source": {"repoURL": GITOPS, "path": "apps/checkout"} | source},
        "status": {"history": [{"revision": revision, "deployedAt": when} for revision, when in history]},
    }


def bundle(*things: tuple[str, dict[str, Any]]) -> Bundle:
    incident = Incident(
        cluster="eu",
        namespace="shop",
        rollout="checkout",
        uid="u",
        canary_hash="bad",
        revision="3",
        stable_hash="good",
    )
    answers = [
        Answer(id=f"objects/{kind}/{one['metadata']['name']}", kind="object", side="none", status="ok", content=one)
        for kind, one in things
    ]
    return seal(incident, 1, answers, START)


def test_each_version_has_the_annotations_of_its_own_replica_set() -> None:
    sets = [
        replica_set("good", source_repo=REPO, source_revision="r1", source_path="svc"),
        replica_set("bad", source_repo=REPO, source_revision="r2"),
    ]
    manifest = bundle(*(("replicaset", one) for one in sets), ("rollout", rollout())).manifest
    assert manifest.stable == Version(
        hash="good",
        images=("shop:good",),
        repo=REPO,
        commit="r1",
        path="svc",
        found_by="annotations of the ReplicaSet",
        confidence="high",
    )
    assert (manifest.canary.commit, manifest.canary.path) == ("r2", None)


def test_the_rollouts_annotations_are_the_canarys_only_while_it_is_current() -> None:
    sets = [replica_set("good"), replica_set("bad")]
    assert version_of("bad", sets, rollout(current="bad")).commit == "r2"
    assert version_of("bad", sets, rollout(current="newer")).repo is None
    assert version_of("bad", sets, {"metadata": {"annotations": {"selfheal.io/source-repo": REPO}}}).repo == REPO
    assert version_of("gone", sets, None) == Version(hash="gone")


def test_a_password_in_an_annotation_is_gone_from_the_manifest() -> None:
    url = "https://bot:hunter2@git.example/acme/shop"
    manifest = bundle(("replicaset", replica_set("bad", source_repo=url))).manifest
    assert "hunter2" not in str(manifest.canary.repo)


NOTHING_ELSE = (replica_set("good", "2026-11-20T10:00:02Z"), replica_set("bad", "2026-11-24T12:00:02Z"))
BETWEEN = replica_set("worse", "2026-11-24T11:00:02Z")
HISTORY = (
    ("m1", "2026-11-20T10:00:00Z"),
    ("m2", "2026-11-22T10:00:00Z"),
    ("m3", "2026-11-24T11:00:00Z"),
    ("m4", "2026-11-24T12:00:00Z"),
)


@pytest.mark.parametrize(
    ("sets", "history", "expected"),
    [
        pytest.param(NOTHING_ELSE, HISTORY, ("m3", "m4"), id="the deployment before the canary's is the good one"),
        pytest.param(
            (*NOTHING_ELSE, BETWEEN), HISTORY, ("m2", "m4"), id="another canary failed in between: the one before both"
        ),
        pytest.param(
            NOTHING_ELSE,
            (*HISTORY, ("m5", "2026-11-24T12:30:00Z")),
            ("m3", "m4"),
            id="something was deployed after the canary",
        ),
        pytest.param(
            NOTHING_ELSE,
            (("m3", "2026-11-24T11:59:20Z"), ("m4", "2026-11-24T12:00:05Z")),
            ("m3", "m4"),
            id="two deployments within a minute: the nearer one brought the canary",
        ),
        pytest.param(
            NOTHING_ELSE,
            (*HISTORY[:3], ("m4", "2026-11-24T12:09:00Z")),
            ("m3", "m4"),
            id="a deployment that took minutes",
        ),
        pytest.param(
            NOTHING_ELSE[:1], HISTORY, ("m3", "m4"), id="no creation time: the last deployment brought the canary"
        ),
        pytest.param(
            (replica_set("good", "2026-11-22T10:00:02Z"), replica_set("bad", "2026-11-20T10:00:02Z")),
            HISTORY,
            ("m3", "m4"),
            id="an old version deployed again",
        ),
        pytest.param(NOTHING_ELSE, HISTORY[3:], None, id="nothing is known of the time before the canary"),
        pytest.param(NOTHING_ELSE, (), None, id="no history"),
    ],
)
def test_the_deployment_history_names_both_versions_manifests(
    sets: tuple[dict[str, Any], ...], history: tuple[tuple[str, str], ...], expected: tuple[str, str] | None
) -> None:
    found = manifest_source(
        bundle(("rollout", rollout()), ("application", application(*history)), *(("replicaset", one) for one in sets))
    )
    if expected is None:
        assert found is None
    else:
        assert found == ManifestSource(repo=GITOPS, path="apps/checkout", stable=expected[0], canary=expected[1])


@pytest.mark.parametrize(
    "tracking",
    [
        "",
        "checkout",
        "checkout:argoproj.io/Rollout:shop/other",
        "checkout:argoproj.io/Rollout:other/checkout",
        "checkout:apps/Deployment:shop/checkout",
        "another:argoproj.io/Rollout:shop/checkout",
    ],
)
def test_an_application_counts_only_if_the_tracking_id_names_this_rollout(tracking: str) -> None:
    things = (("application", application(*HISTORY)), *(("replicaset", one) for one in NOTHING_ELSE))
    assert manifest_source(bundle(("rollout", rollout(tracking=tracking)), *things)) is None
    assert manifest_source(bundle(("rollout", rollout(tracking=f"argocd_{TRACKING}")), *things)) is not None


@pytest.mark.parametrize("source", [{"chart": "shop"}, {"repoURL": ""}, {"repoURL": None}])
def test_a_chart_is_not_a_folder_of_manifests(source: dict[str, Any]) -> None:
    assert manifest_source(bundle(("rollout", rollout()), ("application", application(*HISTORY, **source)))) is None


def test_an_application_of_another_shape_is_no_proof() -> None:
    broken: dict[str, Any] = {"metadata": {"name": "checkout"}, "spec": [], "status": {"history": ["x", None]}}
    assert manifest_source(bundle(("rollout", rollout()), ("application", broken))) is None
