"""Which code ran: every way in which the evidence may tell it, and every way in which it may be wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agents.evidence import Answer, Bundle, ImageReference, Version, from_files, running_images, seal, to_files
from agents.evidence.images import REVISION, SOURCE, parse_image
from agents.incident import Incident
from agents.policy import Policy, RepositoryRule
from agents.provenance import Identified, ImageRule, identify, spellings, tag_revisions
from tests.fakes import START, FakeCommit, FakeRegistry, FakeRepositories, FakeRepository

SHOP = "https://git.example/acme/shop"
BASE = "https://git.example/acme/python-base"
GITOPS = "https://git.example/acme/gitops"
CODE = FakeRepository(FakeCommit("one", {"a": "1"}), FakeCommit("two", {"a": "2"}), FakeCommit("three", {"a": "3"}))
GOOD, BAD = CODE.shas[1], CODE.shas[2]
CODE.branches |= {"refs/tags/v1.4.0": GOOD, "refs/tags/1.5": BAD, BAD[:8] + "f": GOOD}
"""The last one is a branch that is called like a commit."""
POLICY = Policy(repositories=(RepositoryRule(match="https://git.example/acme/*"),))
DIGESTS = {"good": "sha256:" + "a" * 64, "bad": "sha256:" + "b" * 64}
OCI, VCS = "org.opencontainers.image", "app.openshift.io/vcs"


def thing(kind: str, name: str, content: dict[str, Any]) -> Answer:
    return Answer(id=f"objects/{kind}/{name}", kind="object", side="none", status="ok", content=content)


def version(
    hash_: str,
    image: str = "",
    own: Mapping[str, str] | None = None,
    pods: Mapping[str, str] | None = None,
    digests: Sequence[str] = (),
) -> list[Answer]:
    """A ReplicaSet with its annotations and those of its pod template, and one pod for each digest."""
    labels = {"rollouts-pod-template-hash": hash_}
    containers = [{"name": "app", "image": image or f"registry.example/acme/shop:{hash_}"}]
    template = {"metadata": {"annotations": dict(pods or {})}, "spec": {"containers": containers}}
    metadata = {"name": f"checkout-{hash_}", "labels": labels, "annotations": dict(own or {})}
    metadata["creationTimestamp"] = "2026-11-24T10:00:00Z" if hash_ == "good" else "2026-11-24T12:00:00Z"
    answers = [thing("replicaset", f"checkout-{hash_}", {"metadata": metadata, "spec": {"template": template}})]
    for at, digest in enumerate(digests):
        ran = [{"name": "app", "imageID": f"registry.example/acme/shop@{digest}"}]
        pod = {"metadata": {"name": f"{hash_}-{at}", "labels": labels}, "status": {"containerStatuses": ran}}
        answers.append(thing("pod", f"{hash_}-{at}", pod))
    return answers


def bundle(*answers: list[Answer]) -> Bundle:
    incident = Incident(
        cluster="eu",
        namespace="shop",
        rollout="checkout",
        uid="u",
        canary_hash="bad",
        revision="3",
        stable_hash="good",
    )
    return seal(incident, 1, [one for group in answers for one in group], START)


def annotated(repo: str, revision: str, prefix: str = "selfheal.io/source-") -> dict[str, str]:
    return {f"{prefix}repo": repo, f"{prefix}revision": revision}


def oci(repo: str, revision: str) -> dict[str, str]:
    return {f"{OCI}.source": repo, f"{OCI}.revision": revision}


async def look(
    evidence: Bundle,
    registry: FakeRegistry | None = None,
    images: Sequence[ImageRule] = (),
    repositories: Mapping[str, FakeRepository] | None = None,
    policy: Policy = POLICY,
) -> Identified:
    known = FakeRepositories({SHOP: CODE} | dict(repositories or {}))
    return await identify(evidence, known, policy.listed, registry=registry, images=images)


def told(found: Identified) -> tuple[str | None, str | None]:
    manifest = found.bundle.manifest
    return manifest.stable.commit, manifest.canary.commit


async def test_annotations_are_held_against_the_repository_and_made_full_ids() -> None:
    found = await look(bundle(version("good", own=annotated(SHOP, GOOD[:7])), version("bad", own=annotated(SHOP, BAD))))
    assert told(found) == (GOOD, BAD)
    assert found.bundle.manifest.canary.found_by == "annotations of the ReplicaSet"
    assert (found.bundle.manifest.canary.confidence, found.notes) == ("high", ())


async def test_the_pod_template_tells_where_the_replica_set_does_not() -> None:
    found = await look(bundle(version("good", pods=oci(SHOP, GOOD)), version("bad", pods=oci(SHOP, BAD))))
    assert told(found) == (GOOD, BAD)
    assert found.bundle.manifest.stable.found_by == "image annotations of the pod template"
    assert found.bundle.manifest.stable.confidence == "medium"


async def test_a_wrong_annotation_gives_way_to_the_next_answer_and_leaves_a_note() -> None:
    own = annotated(SHOP, "0" * 40)
    found = await look(bundle(version("good"), version("bad", own=own, pods=oci(SHOP, BAD))))
    assert found.bundle.manifest.canary.commit == BAD
    assert any("0" * 40 in note and "no commit or tag" in note for note in found.notes)


@pytest.mark.parametrize("revision", ["HEAD", "main~1", BAD[:8] + "f", "v9", "--all", "refs/heads/main", BAD[:6]])
async def test_a_revision_that_is_no_commit_or_tag_names_nothing(revision: str) -> None:
    found = await look(bundle(version("bad", own=annotated(SHOP, revision))))
    assert found.bundle.manifest.canary.commit is None
    assert found.bundle.manifest.canary.repo == SHOP


async def test_a_branch_is_the_last_resort_and_only_where_somebody_wrote_it_down_for_us() -> None:
    found = await look(bundle(version("bad", own=annotated(SHOP, "main"))))
    assert (found.bundle.manifest.canary.commit, found.bundle.manifest.canary.confidence) == (BAD, "low")
    assert any("main is a branch" in note for note in found.notes)
    better = await look(bundle(version("bad", own=annotated(SHOP, "main"), pods=oci(SHOP, GOOD))))
    assert better.bundle.manifest.canary.commit == GOOD
    others = await look(bundle(version("bad", pods=oci(SHOP, "main"))))
    assert others.bundle.manifest.canary.commit is None


async def test_openshifts_annotations_do_not_make_the_gitops_repository_the_source() -> None:
    gitops = FakeRepository(FakeCommit("one", {"apps/a.yaml": ""}), FakeCommit("two", {"apps/a.yaml": "x"}))
    pods = {f"{VCS}-uri": "git@git.example:acme/gitops.git", f"{VCS}-ref": gitops.shas[1]}
    evidence = bundle(version("good"), version("bad", pods=pods), application(gitops))
    found = await look(evidence, repositories={GITOPS: gitops})
    assert found.bundle.manifest.canary.commit is None
    assert any("name the GitOps repository" in note for note in found.notes)
    plain = await look(bundle(version("bad", pods={f"{VCS}-uri": f"{SHOP}.git", f"{VCS}-ref": BAD[:10]})))
    assert (plain.bundle.manifest.canary.commit, plain.bundle.manifest.canary.confidence) == (BAD, "low")


async def test_the_labels_of_the_digests_that_ran_tell_both_versions_and_stay_in_the_bundle() -> None:
    registry = FakeRegistry({DIGESTS["good"]: oci(SHOP, GOOD), DIGESTS["bad"]: oci(SHOP, BAD)})
    evidence = bundle(*(version(hash_, digests=[DIGESTS[hash_]] * 2) for hash_ in DIGESTS))
    found = await look(evidence, registry)
    assert told(found) == (GOOD, BAD)
    assert found.bundle.manifest.canary.found_by == "labels of the image of app"
    assert len(registry.asked) == 2
    offline = from_files(to_files(found.bundle.model_copy(update={"manifest": as_sealed(found.bundle, evidence)})))
    assert told(await look(offline)) == (GOOD, BAD)


def as_sealed(found: Bundle, before: Bundle) -> Any:
    """The manifest with its new items, but with the versions as they were when nothing was known of them."""
    return found.manifest.model_copy(update={"stable": before.manifest.stable, "canary": before.manifest.canary})


async def test_a_registry_is_not_asked_where_annotations_tell_already() -> None:
    registry = FakeRegistry({})
    sides = [
        version(hash_, own=annotated(SHOP, sha), digests=[DIGESTS[hash_]])
        for hash_, sha in (("good", GOOD), ("bad", BAD))
    ]
    found = await look(bundle(*sides), registry)
    assert (told(found), registry.asked) == ((GOOD, BAD), [])


async def test_a_label_that_was_inherited_from_a_base_image_is_not_believed() -> None:
    base = FakeRepository(FakeCommit("base", {"Dockerfile": ""}))
    evidence = bundle(*(version(hash_, digests=[DIGESTS[hash_]]) for hash_ in DIGESTS))
    same = oci(BASE, base.shas[0])
    found = await look(evidence, FakeRegistry({DIGESTS["good"]: same, DIGESTS["bad"]: same}), repositories={BASE: base})
    assert told(found) == (None, None)
    assert any("base image" in note for note in found.notes)
    half = {SOURCE: SHOP, REVISION: base.shas[0]}  # the builder set the source, the base image the revision
    found = await look(evidence, FakeRegistry({DIGESTS["bad"]: half}))
    assert found.bundle.manifest.canary.commit is None
    assert any("no commit or tag" in note for note in found.notes)


async def test_a_label_cannot_widen_the_list_of_repositories() -> None:
    evil = "https://evil.example/acme/shop"
    registry = FakeRegistry({DIGESTS["bad"]: oci(evil, BAD)})
    evidence = bundle(version("bad", digests=[DIGESTS["bad"]]))
    found = await look(evidence, registry, repositories={evil: CODE})
    assert (found.bundle.manifest.canary.repo, found.bundle.manifest.canary.commit) == (None, None)
    assert any("no entry" in note for note in found.notes)


async def test_pods_that_ran_different_digests_tell_nothing() -> None:
    registry = FakeRegistry({DIGESTS["bad"]: oci(SHOP, BAD), DIGESTS["good"]: oci(SHOP, GOOD)})
    found = await look(bundle(version("bad", digests=[DIGESTS["bad"], DIGESTS["good"]])), registry)
    assert (found.bundle.manifest.canary.commit, registry.asked) == (None, [])


async def test_what_a_registry_refuses_is_a_gap_of_the_bundle() -> None:
    elsewhere = FakeRegistry({}, hosts=("other.example",))
    found = await look(bundle(version("bad", digests=[DIGESTS["bad"]])), elsewhere)
    (gap,) = found.bundle.gaps()
    assert (gap.id, gap.status) == (f"objects/image/{'b' * 32}", "denied")
    assert "SELFHEAL_REGISTRIES" in str(gap.reason)


def application(gitops: FakeRepository) -> list[Answer]:
    tracking = {"argocd.argoproj.io/tracking-id": "checkout:argoproj.io/Rollout:shop/checkout"}
    history = [
        {"revision": gitops.shas[0], "deployedAt": "2026-11-24T10:00:00Z"},
        {"revision": gitops.shas[-1], "deployedAt": "2026-11-24T12:00:00Z"},
    ]
    source = {"repoURL": "git@git.example:acme/gitops.git", "path": "apps"}
    rollout = {"metadata": {"name": "checkout", "annotations": tracking}, "status": {"currentPodHash": "bad"}}
    return [
        thing("rollout", "checkout", rollout),
        thing(
            "application",
            "checkout",
            {"metadata": {"name": "checkout"}, "spec": {"source": source}, "status": {"history": history}},
        ),
    ]


def trailers(repo: str, sha: str) -> str:
    said = {"author": "Ana", "repourl": repo, "sha": sha}
    return "".join(f"Argocd-reference-commit-{key}: {value}\n" for key, value in said.items())


async def test_the_gitops_commits_refer_to_the_source_commits() -> None:
    gitops = FakeRepository(
        FakeCommit("good", {"apps/a.yaml": "1"}, trailers(SHOP, GOOD)),
        FakeCommit("bad", {"apps/a.yaml": "2"}, trailers(f"{SHOP}.git", BAD)),
        FakeCommit("another service", {"apps/a.yaml": "2", "other/b.yaml": "1"}, trailers(SHOP, CODE.shas[0])),
        FakeCommit("a typo", {"apps/a.yaml": "2 ", "other/b.yaml": "1"}),
    )
    found = await look(bundle(version("good"), version("bad"), application(gitops)), repositories={GITOPS: gitops})
    assert told(found) == (GOOD, BAD)
    assert found.bundle.manifest.canary.found_by == f"trailers of the GitOps commit {gitops.shas[1][:12]}"
    assert found.bundle.manifest.canary.confidence == "medium"


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (f"sha-{BAD[:7]}", "medium"),
        (f"main-{BAD[:12]}", "medium"),
        (f"v1.4.0-12-g{BAD[:9]}", "medium"),
        (BAD, "medium"),
        ("1.5", "low"),
        ("v1.5", "low"),
    ],
)
async def test_a_tag_is_read_in_the_repository_that_the_policy_gives_the_image(tag: str, expected: str) -> None:
    evidence = bundle(version("bad", image=f"registry.example/acme/shop:{tag}"))
    rules = (ImageRule(match="registry.example/acme/*", repo=SHOP, path="services/shop"),)
    found = await look(evidence, images=rules)
    canary = found.bundle.manifest.canary
    assert (canary.commit, canary.confidence, canary.path) == (BAD, expected, "services/shop")
    assert canary.found_by == f"the image tag {tag}"
    assert (await look(evidence)).bundle.manifest.canary.commit is None


@pytest.mark.parametrize("tag", ["latest", "main", "prod-blue", "deadbee", "20261124", f"sha-{BAD[:6]}", "9.9.9"])
async def test_a_tag_that_is_no_commit_or_tag_of_the_repository_names_nothing(tag: str) -> None:
    rules = (ImageRule(match="registry.example/*", repo=SHOP),)
    found = await look(bundle(version("bad", image=f"registry.example/acme/shop:{tag}")), images=rules)
    assert found.bundle.manifest.canary.commit is None


async def test_an_image_rule_cannot_widen_the_list_of_repositories() -> None:
    rules = (ImageRule(match="*", repo="https://evil.example/x"),)
    found = await look(
        bundle(version("bad", image=f"a/b:{BAD}")), images=rules, repositories={"https://evil.example/x": CODE}
    )
    assert found.bundle.manifest.canary.commit is None


async def test_two_versions_of_different_repositories_are_not_compared() -> None:
    other = FakeRepository(FakeCommit("one", {"a": "1"}), FakeCommit("elsewhere", {"a": "2"}))
    found = await look(
        bundle(version("good", own=annotated(BASE, other.shas[1])), version("bad", own=annotated(SHOP, BAD))),
        repositories={BASE: other},
    )
    assert told(found) == (None, BAD)
    assert any("another repository than the canary's" in note for note in found.notes)


async def test_a_repository_that_cannot_be_read_leaves_the_commit_unknown() -> None:
    missing = "https://git.example/acme/gone"
    found = await look(bundle(version("bad", own=annotated(missing, BAD))))
    assert (found.bundle.manifest.canary.repo, found.bundle.manifest.canary.commit) == (missing, None)


async def test_looking_again_changes_nothing() -> None:
    registry = FakeRegistry({DIGESTS["good"]: oci(SHOP, GOOD), DIGESTS["bad"]: oci(SHOP, BAD)})
    once = await look(bundle(*(version(hash_, digests=[DIGESTS[hash_]]) for hash_ in DIGESTS)), registry)
    again = await look(once.bundle, registry)
    assert again == once
    assert len(registry.asked) == 2


async def test_looking_again_passes_over_the_same_answers() -> None:
    own = annotated("https://evil.example/x", "0" * 40)
    once = await look(bundle(version("good"), version("bad", own=own, pods=oci(SHOP, BAD))))
    again = await look(once.bundle)
    assert again == once
    assert any("https://evil.example/x" in note for note in once.notes)


async def test_nothing_known_is_said_as_unknown() -> None:
    found = await look(bundle())
    assert found.bundle.manifest.canary == Version(hash="bad")
    assert found.notes == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shop", ("docker.io", "library/shop", None, None)),
        ("acme/shop:1", ("docker.io", "acme/shop", "1", None)),
        ("ghcr.io/acme/shop:v1.2-rc", ("ghcr.io", "acme/shop", "v1.2-rc", None)),
        ("localhost:5000/shop@" + DIGESTS["bad"], ("localhost:5000", "shop", None, DIGESTS["bad"])),
        (
            "docker-pullable://index.docker.io/library/shop@" + DIGESTS["bad"],
            ("docker.io", "library/shop", None, DIGESTS["bad"]),
        ),
        (DIGESTS["bad"], None),
        ("ghcr.io/../shop", None),
        ("ghcr.io/acme/shop@sha256:12", None),
        ("ghcr.io/acme/shop?x=1", None),
        ("user@ghcr.io/acme/shop", None),
        ("", None),
    ],
)
def test_an_image_reference_is_read_as_container_runtimes_do(
    text: str, expected: tuple[str, str, str | None, str | None] | None
) -> None:
    found = parse_image(text)
    assert (found and (found.registry, found.repository, found.tag, found.digest)) == expected


def test_where_the_versions_differ_in_one_container_only_that_one_counts() -> None:
    def pods(hash_: str, tag: str) -> Answer:
        images = [{"name": "proxy", "image": "envoy:1"}, {"name": "app", "image": f"ghcr.io/acme/shop:{tag}"}]
        metadata = {"name": hash_, "labels": {"rollouts-pod-template-hash": hash_}}
        return thing(
            "replicaset", hash_, {"metadata": metadata, "spec": {"template": {"spec": {"containers": images}}}}
        )

    different = running_images(bundle([pods("good", "1"), pods("bad", "2")]), "canary")
    assert [image.named for image in different] == [ImageReference(registry="ghcr.io", repository="acme/shop", tag="2")]
    assert len(running_images(bundle([pods("good", "1"), pods("bad", "1")]), "canary")) == 2


def test_a_repository_is_found_in_the_policy_however_its_url_is_written() -> None:
    for url in (
        SHOP,
        f"{SHOP}.git",
        f"{SHOP}/",
        "git@git.example:acme/shop.git",
        "ssh://git@git.example/acme/shop",
        "git+https://git.example/acme/shop.git",
        "https://bot:hunter2@git.example/acme/shop",
        "https://GIT.example/acme/shop?x=1#y",
    ):
        assert Policy(repositories=(RepositoryRule(match=SHOP),)).listed(url) == SHOP, url
        assert Policy(repositories=(RepositoryRule(match=f"{SHOP}.git"),)).listed(url) == f"{SHOP}.git"


@pytest.mark.parametrize(
    "url",
    [
        "http://git.example/acme/shop",
        "https://git.example.evil.example/acme/shop",
        "https://git.example@evil/acme/shop",
        "https://[::1/x",
        "",
        "/etc/passwd",
    ],
)
def test_an_address_that_only_looks_like_a_listed_repository_is_not_one(url: str) -> None:
    assert POLICY.listed(url) is None


def test_a_password_is_in_no_spelling() -> None:
    assert all("hunter2" not in one for one in spellings("https://bot:hunter2@git.example/acme/shop"))
    assert spellings("file://bot:hunter2@host/x") == ()


def test_a_tag_is_taken_apart() -> None:
    assert tag_revisions("release-2.1-0123abc") == ("0123abc",)
    assert tag_revisions("1.2.3") == ("1.2.3",)
    assert tag_revisions("latest") == ()
