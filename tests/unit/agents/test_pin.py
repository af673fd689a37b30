"""Setting manifests back to the stable version's image: one line, where it is written last, and nothing else."""

import pytest

from agents.changes.image_slots import split_image
from agents.changes.rendered import render_images
from agents.patch import FileChange, apply_edits, lines_of
from agents.strategies.pin import Deployed, NotPinned, PinnedAlready, Swap, is_pinned, pin, swaps
from tests.shop import bundle_of

OLD, NEW = "registry.example/shop:2.3.0", "registry.example/shop:2.4.0"
DIGEST, OTHER_DIGEST = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
ROOT = "overlays/prod/kustomization.yaml"
ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: shop   # the shop itself
spec:
  template:
    spec:
      containers:
        - name: app
          image: registry.example/shop:2.4.0   # the shop
        - name: proxy
          image: "envoy:1.2"
"""
OVERLAY = """\
# what runs in production
resources:
- ../../base

images:
  - name: registry.example/shop
    newTag: "2.4.0"  # set by CI
  - name: envoy
    newTag: v1.2
"""
BASE = "resources: [rollout.yaml]\n"
TREE = {"base/kustomization.yaml": BASE, "base/rollout.yaml": ROLLOUT, ROOT: OVERLAY}
BARE = {**TREE, ROOT: "resources: [../../base]\n"}


def deployed(files: dict[str, str], root: str | None = ROOT, **more: object) -> Deployed:
    about = {"elsewhere": {}, "rollout": "shop", "namespace": "shop", "workload": "", **more}
    return Deployed(files=files, root=root, **about)  # type: ignore[arg-type]  # the fields that a test changes


def pinned(files: dict[str, str], *wanted: Swap, root: str | None = ROOT, **more: object) -> dict[str, str]:
    """The files that change, each by path; the edits apply as they would be published."""
    place = deployed(files, root, **more)
    changes = apply_edits(files, pin(place, wanted or (Swap("app", NEW, OLD),)))
    after = {**files, **{change.path: str(change.after) for change in changes}}
    assert is_pinned(place._replace(files=after), wanted or (Swap("app", NEW, OLD),))
    return {change.path: str(change.after) for change in changes}


def changed_lines(before: str, after: str) -> list[tuple[str, str]]:
    old, new = lines_of(before), lines_of(after)
    assert len(old) == len(new)
    return [(one, other) for one, other in zip(old, new, strict=True) if one != other]


def test_of_an_overlay_the_tag_is_set_back_in_its_quotes_and_the_comments_stay() -> None:
    after = pinned(TREE)
    assert list(after) == [ROOT]
    assert changed_lines(OVERLAY, after[ROOT]) == [
        ('    newTag: "2.4.0"  # set by CI\n', '    newTag: "2.3.0"  # set by CI\n')
    ]


def test_windows_line_ends_stay() -> None:
    overlay = OVERLAY.replace("\n", "\r\n")
    after = pinned({**TREE, ROOT: overlay})
    assert after[ROOT] == overlay.replace("2.4.0", "2.3.0")


def test_a_tag_that_looks_like_a_number_is_quoted() -> None:
    overlay = OVERLAY.replace('"2.4.0"', "2.4.0")
    after = pinned({**TREE, ROOT: overlay}, Swap("app", NEW, "registry.example/shop:2.3"))
    assert changed_lines(overlay, after[ROOT]) == [
        ("    newTag: 2.4.0  # set by CI\n", '    newTag: "2.3"  # set by CI\n')
    ]


@pytest.mark.parametrize(
    ("entry", "canary", "stable", "line"),
    [
        ("digest: " + DIGEST, f"@{DIGEST}", f"@{OTHER_DIGEST}", "    digest: " + OTHER_DIGEST),
        ("newTag: 2.4.0", ":2.4.0", f"@{DIGEST}", "    digest: " + DIGEST),
        ("digest: " + DIGEST, f"@{DIGEST}", ":2.3.0", "    newTag: 2.3.0"),
    ],
)
def test_images_by_digest_and_by_tag_are_set_back_to_what_stable_has(
    entry: str, canary: str, stable: str, line: str
) -> None:
    overlay = OVERLAY.replace('newTag: "2.4.0"', entry)
    name = "registry.example/shop"
    after = pinned({**TREE, ROOT: overlay}, Swap("app", name + canary, name + stable))
    assert changed_lines(overlay, after[ROOT]) == [(f"    {entry}  # set by CI\n", f"{line}  # set by CI\n")]


def test_a_tag_beside_a_digest_goes_where_stable_has_none() -> None:
    overlay = OVERLAY.replace('newTag: "2.4.0"', f"digest: {DIGEST}\n    newTag: 2.4.0")
    after = pinned({**TREE, ROOT: overlay}, Swap("app", f"{NEW}@{DIGEST}", OLD))
    assert f"digest: {DIGEST}" not in after[ROOT]
    assert "    newTag: 2.3.0  # set by CI\n" in after[ROOT]
    assert len(lines_of(after[ROOT])) == len(lines_of(overlay)) - 1


def test_an_image_of_another_registry_is_set_back_by_name() -> None:
    after = pinned(TREE, Swap("app", NEW, "mirror.example/shop:2.3.0"))
    assert '    newTag: "2.3.0"  # set by CI\n    newName: mirror.example/shop\n' in after[ROOT]


def test_entries_in_flow_style_stay_on_their_line() -> None:
    overlay = 'resources: [../../base]\nimages: [{name: registry.example/shop, newTag: "2.4.0"}]\n'
    after = pinned({**TREE, ROOT: overlay}, Swap("app", NEW, f"{OLD}@{DIGEST}"))
    assert after[ROOT].splitlines()[1] == (
        f'images: [{{name: registry.example/shop, newTag: "2.3.0", digest: {DIGEST}}}]'
    )


def test_of_plain_manifests_the_rollout_is_edited_among_several_documents() -> None:
    text = f"kind: Service\nmetadata: {{name: shop}}\n---\n{ROLLOUT}---\nkind: ConfigMap\nmetadata: {{name: x}}\n"
    after = pinned({"apps/shop/all.yaml": text}, root=None)
    assert changed_lines(text, after["apps/shop/all.yaml"]) == [
        (f"          image: {NEW}   # the shop\n", f"          image: {OLD}   # the shop\n")
    ]


def test_several_images_are_set_back_together() -> None:
    after = pinned(TREE, Swap("app", NEW, OLD), Swap("proxy", "envoy:v1.2", "envoy:v1.1"))
    assert changed_lines(OVERLAY, after[ROOT]) == [
        ('    newTag: "2.4.0"  # set by CI\n', '    newTag: "2.3.0"  # set by CI\n'),
        ("    newTag: v1.2\n", "    newTag: v1.1\n"),
    ]


def test_the_deployment_that_a_rollout_refers_to_is_edited() -> None:
    reference = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: shop}\n"
        "spec: {workloadRef: {kind: Deployment, name: shop-pods}}\n---\n"
    )
    text = reference + ROLLOUT.replace("kind: Rollout", "kind: Deployment").replace("name: shop ", "name: shop-pods ")
    after = pinned({"shop.yaml": text}, root=None, workload="shop-pods")
    assert after["shop.yaml"] == text.replace("2.4.0", "2.3.0")


def test_an_anchor_is_edited_where_it_is_defined_if_all_that_use_it_are_to_move() -> None:
    text = ROLLOUT.replace(f"image: {NEW}", f"image: &image {NEW}").replace('image: "envoy:1.2"', "image: *image")
    after = pinned({"r.yaml": text}, Swap("app", NEW, OLD), Swap("proxy", NEW, OLD), root=None)
    assert after["r.yaml"] == text.replace("2.4.0", "2.3.0")
    with pytest.raises(NotPinned, match="the same place gives Rollout shop its image"):
        pinned({"r.yaml": text}, root=None)


def test_a_patch_of_the_overlay_is_edited_where_it_gives_the_image() -> None:
    patch = "kind: Rollout\nmetadata: {name: shop}\nspec:\n  template:\n    spec:\n      containers:\n"
    patch += f"      - name: app\n        image: {NEW}\n"
    files = {
        **BARE,
        ROOT: "resources: [../../base]\npatches: [{path: image.yaml}]\n",
        "overlays/prod/image.yaml": patch,
    }
    files["base/rollout.yaml"] = ROLLOUT.replace("2.4.0", "1.0.0")
    assert pinned(files) == {"overlays/prod/image.yaml": patch.replace("2.4.0", "2.3.0")}


def test_an_inline_patch_is_left_alone_and_the_overlay_gets_an_entry() -> None:
    overlay = (
        "resources: [../../base]\npatches:\n- target: {kind: Rollout}\n  patch: |\n    - op: replace\n"
        f"      path: /spec/template/spec/containers/0/image\n      value: {NEW}\n"
    )
    after = pinned({**BARE, ROOT: overlay})
    assert after == {ROOT: f"{overlay}images:\n- name: registry.example/shop\n  newTag: 2.3.0\n"}


def test_what_another_overlay_takes_in_too_is_left_alone() -> None:
    elsewhere = {"base/rollout.yaml": ("overlays/staging/kustomization.yaml",)}
    after = pinned(BARE, elsewhere=elsewhere)
    assert after == {ROOT: "resources: [../../base]\nimages:\n- name: registry.example/shop\n  newTag: 2.3.0\n"}
    with_images = {**BARE, ROOT: "resources: [../../base]\nimages:\n  - name: envoy\n    newTag: v1\n# end\n"}
    after = pinned(with_images, elsewhere=elsewhere)
    assert after[ROOT].endswith("    newTag: v1\n  - name: registry.example/shop\n    newTag: 2.3.0\n# end\n")
    with pytest.raises(NotPinned, match="is taken in by overlays/staging"):
        pinned({"base/rollout.yaml": ROLLOUT}, root=None, elsewhere=elsewhere)


def test_prefixes_and_components_are_rendered_on_the_way() -> None:
    files = {
        **TREE,
        ROOT: "namePrefix: eu-\nresources: [../../base]\ncomponents: [../../version]\n",
        "version/kustomization.yaml": "kind: Component\nimages:\n- name: registry.example/shop\n  newTag: 2.4.0\n",
    }
    after = pinned(files, rollout="eu-shop")
    assert list(after) == ["version/kustomization.yaml"]


WORKER = ROLLOUT.replace("kind: Rollout", "kind: Deployment").replace("name: shop ", "name: worker ")


@pytest.mark.parametrize(
    ("files", "more", "reason"),
    [
        ({**TREE, "base/rollout.yaml": ROLLOUT + "---\n" + WORKER}, {}, "gives Deployment worker its image"),
        ({**TREE, ROOT: OVERLAY.replace("2.4.0", "2.5.0")}, {}, "Git names registry.example/shop:2.5.0 for app now"),
        ({**TREE, ROOT: OVERLAY.replace("2.4.0", "2.3.0")}, {}, "again already"),
        ({**TREE, ROOT: f"# Code generated by a pipeline. DO NOT EDIT.\n{OVERLAY}"}, {}, "says that it is generated"),
        (
            {**TREE, ROOT: OVERLAY.replace("# set by CI", '# {"$imagepolicy": "flux-system:shop:tag"}')},
            {},
            "an image automation writes this value",
        ),
        ({**TREE, ROOT: f"transformers: [t.yaml]\n{OVERLAY}"}, {}, "`transformers`, which are not rendered"),
        (
            {**TREE, ROOT: OVERLAY + "replacements:\n- source: {kind: X, fieldPath: spec.image}\n"},
            {},
            "`replacements` of images",
        ),
        ({**TREE, "base/rollout.yaml": ROLLOUT.replace("Rollout", "{{ .Values.kind }}")}, {}, "a Helm chart"),
        (TREE, {"rollout": "cart"}, "the Rollout is not in the manifests"),
        ({**TREE, "base/rollout.yaml": f"{ROLLOUT}---\n{ROLLOUT}"}, {}, "stands 2 times"),
        (TREE, {"workload": "cart"}, "the Deployment cart, which the Rollout refers to, is not in the manifests"),
        ({**TREE, "base/kustomization.yaml": "resources: [../overlays/prod]\n"}, {}, "takes itself in"),
        ({**TREE, ROOT: "resources: ["}, {}, "is not one YAML document"),
        (
            {
                **BARE,
                ROOT: "resources: [../../base]\npatches:\n- target: {kind: Rollout}\n"
                "  patch: '[{op: add, path: /spec/template/spec/containers/-, value: {name: x}}]'\n",
            },
            {},
            "patches the list of its containers",
        ),
    ],
)
def test_what_cannot_be_set_back_by_a_plain_edit_is_declined_with_the_reason(
    files: dict[str, str], more: dict[str, object], reason: str
) -> None:
    with pytest.raises(NotPinned) as declined:
        pinned(files, **more)  # type: ignore[arg-type]  # the fields that a test changes
    assert reason in str(declined.value)
    assert isinstance(declined.value, PinnedAlready) == ("again already" in reason)


def test_a_hostile_alias_bomb_is_read_in_no_time() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    files = {"r.yaml": f"kind: ConfigMap\nmetadata: {{name: bomb}}\n{bomb}---\n{ROLLOUT}"}
    assert "2.3.0" in pinned(files, root=None)["r.yaml"]


def replica_set(pod_hash: str, *images: str) -> tuple[str, dict[str, object]]:
    containers = [{"name": f"c{n}", "image": image} for n, image in enumerate(images)]
    metadata = {"name": pod_hash, "labels": {"rollouts-pod-template-hash": pod_hash}}
    spec = {"template": {"spec": {"containers": containers[:1], "initContainers": containers[1:]}}}
    return f"objects/replicaset/{pod_hash}", {"metadata": metadata, "spec": spec}


def test_the_images_to_go_back_to_are_those_of_the_stable_pod_template() -> None:
    bundle = bundle_of(objects=[replica_set("good", OLD, "migrate:1"), replica_set("bad", NEW, "migrate:2")])
    assert swaps(bundle) == (Swap("c0", NEW, OLD), Swap("c1", "migrate:2", "migrate:1"))
    with pytest.raises(NotPinned, match="run the same images"):
        swaps(bundle_of(objects=[replica_set("good", OLD), replica_set("bad", OLD)]))
    with pytest.raises(NotPinned, match="was not captured"):
        swaps(bundle_of(objects=[replica_set("bad", OLD)]))


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("shop", ("shop", "", "")),
        ("localhost:5000/shop", ("localhost:5000/shop", "", "")),
        ("localhost:5000/a/shop:1.2", ("localhost:5000/a/shop", "1.2", "")),
        (f"a.example/shop:1@{DIGEST}", ("a.example/shop", "1", DIGEST)),
        (f"shop@{DIGEST}", ("shop", "", DIGEST)),
    ],
)
def test_a_port_is_no_tag(image: str, parts: tuple[str, str, str]) -> None:
    assert split_image(image) == parts


def test_images_are_rendered_as_kustomize_renders_them() -> None:
    """Compared once with kustomize 5.5: entries after one another, names that entries change, init containers."""
    files = {
        "base/r.yaml": ROLLOUT.replace(":2.4.0", ""),
        "base/kustomization.yaml": "resources: [r.yaml]\nimages: [{name: registry.example/shop, newTag: '1.5'}]\n",
        ROOT: "resources: [../../base]\nimages:\n- {name: registry.example/shop, newName: other/shop, digest: "
        f"{DIGEST}}}\n- {{name: other/shop, newTag: '2'}}\n- {{name: envoy, newTag: v2, digest: {DIGEST}}}\n",
    }
    (rollout,) = render_images(files, ROOT)
    assert [slot.image for slot in rollout.slots] == ["other/shop:2", f"envoy:v2@{DIGEST}"]


def test_edits_of_two_places_in_one_file_apply_one_after_the_other() -> None:
    text = ROLLOUT.replace("envoy:1.2", NEW)
    edits = pin(deployed({"r.yaml": text}, None), (Swap("app", NEW, OLD), Swap("proxy", NEW, OLD)))
    assert apply_edits({"r.yaml": text}, edits) == (
        FileChange(path="r.yaml", before=text, after=text.replace("2.4.0", "2.3.0")),
    )
