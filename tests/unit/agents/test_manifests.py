"""What differs between the manifests of two versions, where it stands, and who changed it."""

import pytest

from agents.changes import ValueChange, blamed, field_changes, is_template, manifest_changes, read_manifests
from agents.changes.fields import json_pointer, quantity
from agents.evidence import ManifestSource
from tests.fakes import FakeCommit, FakeRepository

ROLLOUT = """\
kind: Rollout
metadata: {name: shop}
spec:
  template:
    spec:
      containers:
        - name: app
          image: shop:1
          livenessProbe:
            httpGet: {path: /live}
          readinessProbe:
            httpGet: {path: /ready}
          volumeMounts:
            - {name: data, mountPath: /a}
            - {name: data, mountPath: /b}
"""
FILES = """\
kind: ConfigMap
metadata: {name: files}
data:
  MODE: fast
  app.properties: |
    # pool
    db.url=jdbc:a
    db.pool = 5
  app.yaml: |
    server:
      port: 8080
  app.ini: |
    [http]
    port = 80
    [grpc]
    port = 81
  folded.yaml: >
    a: 1

    b: 2
"""
KUSTOMIZATION = """\
resources:
  - ../base
  - https://example.org/remote
configMapGenerator:
  - name: settings
    literals:
      - MODE=fast
      - "QUOTED=a=b"
    files:
      - app.properties
      - renamed.conf=files/other.conf
    envs: [app.env]
images:
  - name: shop
    newTag: "1"
patches:
  - path: patch.yaml
  - target: {kind: Rollout, name: shop}
    patch: |-
      - op: replace
        path: /spec/replicas
        value: 3
  - patch: |
      kind: Rollout
      metadata:
        name: shop
      spec:
        paused: false
"""
GENERATED = {
    "deploy/kustomization.yaml": KUSTOMIZATION,
    "deploy/app.properties": "x=1\ny=2\n",
    "deploy/files/other.conf": "z=1\n",
    "deploy/app.env": "# env\nTOKEN_TTL=60\n",
}


def differences(
    old: dict[str, str], new: dict[str, str]
) -> list[tuple[str, str, str | None, str | None, str, int | None]]:
    return [
        (one.name, one.pointer, one.old, one.new, one.file, one.line)
        for one in manifest_changes(old, new)
        if one.kind != "Kustomization"
    ]


@pytest.mark.parametrize(
    ("find", "replace", "pointer", "line"),
    [
        ("MODE: fast", "MODE: slow", "/data/MODE", 4),
        ("db.pool = 5", "db.pool = 7", "/data/app.properties/db.pool", 8),
        ("port: 8080", "port: 9090", "/data/app.yaml/server/port", 11),
        ("port = 81", "port = 82", "/data/app.ini/grpc/port", 16),
        ("b: 2", "b: 3", "/data/folded.yaml/b", 17),
    ],
)
def test_settings_inside_a_file_of_a_config_map_have_their_own_place(
    find: str, replace: str, pointer: str, line: int
) -> None:
    ((_, found, _, _, _, at),) = differences({"a.yaml": FILES}, {"a.yaml": FILES.replace(find, replace)})
    assert (found, at) == (pointer, line)


@pytest.mark.parametrize(
    ("path", "find", "replace", "expected"),
    [
        ("deploy/kustomization.yaml", "MODE=fast", "MODE=slow", ("settings", "/data/MODE", "fast", "slow", 7)),
        ("deploy/kustomization.yaml", "QUOTED=a=b", "QUOTED=c", ("settings", "/data/QUOTED", "a=b", "c", 8)),
        ("deploy/app.properties", "y=2", "y=3", ("settings", "/data/app.properties/y", "2", "3", 2)),
        ("deploy/files/other.conf", "z=1", "z=2", ("settings", "/data/renamed.conf", "z=1\n", "z=2\n", 1)),
        ("deploy/app.env", "=60", "=90", ("settings", "/data/TOKEN_TTL", "60", "90", 2)),
        ("deploy/kustomization.yaml", "value: 3", "value: 4", ("shop", "/spec/replicas", "3", "4", 22)),
        ("deploy/kustomization.yaml", "paused: false", "paused: true", ("shop", "/spec/paused", "false", "true", 28)),
    ],
)
def test_what_a_kustomization_generates_and_patches_is_compared_where_it_is_written(
    path: str, find: str, replace: str, expected: tuple[str, str, str, str, int]
) -> None:
    changed = GENERATED | {path: GENERATED[path].replace(find, replace)}
    ((name, pointer, old, new, file, line),) = differences(GENERATED, changed)
    assert (name, pointer, old, new, line) == expected
    assert file == path


def test_a_tag_of_a_kustomization_is_a_value_of_its_own() -> None:
    changed = GENERATED | {"deploy/kustomization.yaml": KUSTOMIZATION.replace('newTag: "1"', 'newTag: "2"')}
    (change,) = manifest_changes(GENERATED, changed)
    assert (change.kind, change.pointer, change.line) == ("Kustomization", "/images/[name=shop]/newTag", 15)


@pytest.mark.parametrize(
    ("find", "replace", "pointers"),
    [
        ("{path: /live}", "{path: /alive}", ["/livenessProbe/httpGet/path"]),
        ("mountPath: /b}", "mountPath: /b, readOnly: true}", ["/volumeMounts/[mountPath=~1b]/readOnly"]),
        ("            - {name: data, mountPath: /a}\n", "", ["/volumeMounts/[mountPath=~1a]/name"]),
    ],
)
def test_entries_of_lists_are_told_by_their_keys(find: str, replace: str, pointers: list[str]) -> None:
    found = differences({"a.yaml": ROLLOUT}, {"a.yaml": ROLLOUT.replace(find, replace)})
    prefix = "/spec/template/spec/containers/[name=app]"
    assert [one[1].removeprefix(prefix) for one in found][: len(pointers)] == pointers


def test_words_of_a_list_without_an_order_are_told_by_themselves() -> None:
    old = {"rules": [{"resources": ["pods", "secrets"], "verbs": ["get"]}]}
    new = {"rules": [{"resources": ["secrets"], "verbs": ["get"]}]}
    assert [(one.pointer, one.new) for one in field_changes(old, new)] == [("/rules/0/resources/pods", None)]


def test_a_value_that_was_removed_is_placed_where_it_stood() -> None:
    gone = FILES.replace("  app.yaml: |\n    server:\n      port: 8080\n", "")
    found = [(pointer, new, line) for _, pointer, _, new, _, line in differences({"a.yaml": FILES}, {"a.yaml": gone})]
    assert found == [("/data/app.yaml", None, 8), ("/data/app.yaml/server/port", None, 8)]


def test_a_field_is_found_again_in_the_object_that_it_came_from() -> None:
    document = {"spec": {"containers": [{"name": "b"}, {"name": "a/x", "env": [{"name": "K", "value": "1"}]}]}}
    assert json_pointer(document, "/spec/containers/[name=a~1x]/env/[name=K]/value") == "/spec/containers/1/env/0/value"
    assert json_pointer(document, "/spec/containers/1/name") == "/spec/containers/1/name"
    for nowhere in ("/spec/containers/[name=c]/env", "/spec/containers/7", "/nothing"):
        assert json_pointer(document, nowhere) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("512Mi", 536870912.0),
        ("500m", 0.5),
        ("2", 2.0),
        ("1.5Gi", 1610612736.0),
        ("1k", 1000.0),
        ("x", None),
        (None, None),
    ],
)
def test_quantities_are_read_as_kubernetes_reads_them(text: str | None, number: float | None) -> None:
    assert quantity(text) == number


@pytest.mark.parametrize(
    ("path", "text", "is_helm"),
    [
        ("a/templates/x.yaml", "image: {{ .Values.image }}", True),
        ("x.yaml", '{{- include "chart.labels" . }}', True),
        ("Chart.yaml", "name: shop", True),
        ("x.yaml", 'query: rate(x{hash="{{args.hash}}"}[1m])', False),
    ],
)
def test_helm_templates_are_told_from_what_only_looks_like_one(path: str, text: str, *, is_helm: bool) -> None:
    assert is_template(path, text) is is_helm


def repository(*versions: dict[str, str]) -> FakeRepository:
    return FakeRepository(*(FakeCommit(f"change {at}", files) for at, files in enumerate(versions)))


def source(path: str = "deploy") -> ManifestSource:
    return ManifestSource(repo="https://git.example/acme/gitops", path=path, stable="", canary="")


async def test_a_kustomization_takes_in_files_of_other_folders_and_leaves_others_out() -> None:
    files = GENERATED | {
        "deploy/patch.yaml": "kind: Rollout\n",
        "deploy/stray.yaml": "kind: Rollout\n",
        "base/kustomization.yaml": "resources: [rollout.yaml, ../../outside]\n",
        "base/rollout.yaml": ROLLOUT,
        "other/rollout.yaml": ROLLOUT,
    }
    found = repository(files)
    read = await read_manifests(found, found.shas[0], source())
    assert set(read) == {*files} - {"deploy/stray.yaml", "other/rollout.yaml"}


async def test_kustomizations_that_take_each_other_in_are_read_once() -> None:
    found = repository({"a/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "bases: [../a]\n"})
    assert set(await read_manifests(found, found.shas[0], source("a"))) == {
        "a/kustomization.yaml",
        "b/kustomization.yaml",
    }


async def test_without_a_kustomization_every_yaml_file_below_the_folder_is_read() -> None:
    found = repository(
        {"deploy/a.yaml": "a: 1\n", "deploy/x/b.yml": "b: 1\n", "deploy/c.txt": "c", "other/d.yaml": "d: 1\n"}
    )
    assert set(await read_manifests(found, found.shas[0], source())) == {"deploy/a.yaml", "deploy/x/b.yml"}


async def who(old: dict[str, str], *versions: dict[str, str], pointer: str) -> int | None:
    """Which of the versions is blamed, from 1."""
    found = repository(old, *versions)
    commits = await found.commits(found.shas[0], found.shas[-1])
    (change,) = [one for one in manifest_changes(old, versions[-1]) if one.pointer.endswith(pointer)]
    commit = (await blamed(change, commits, found)).commit
    return found.shas.index(commit) if commit else None


async def test_of_two_keys_of_one_name_only_the_one_that_changed_is_blamed() -> None:
    first = ROLLOUT.replace("/ready", "/readyz")
    second = first.replace("/live", "/livez")
    versions = [{"a.yaml": text} for text in (first, second, second.replace("shop:1", "shop:2"))]
    assert await who({"a.yaml": ROLLOUT}, *versions, pointer="/readinessProbe/httpGet/path") == 1
    assert await who({"a.yaml": ROLLOUT}, *versions, pointer="/livenessProbe/httpGet/path") == 2


async def test_whoever_set_the_value_last_is_blamed_and_not_who_undid_it_before() -> None:
    versions = [{"a.yaml": ROLLOUT.replace("/ready", path)} for path in ("/x", "/ready", "/x")]
    assert await who({"a.yaml": ROLLOUT}, *versions, pointer="/readinessProbe/httpGet/path") == 3


async def test_moving_a_value_to_another_file_is_not_changing_it() -> None:
    changed = ROLLOUT.replace("/ready", "/x")
    assert (
        await who({"a.yaml": ROLLOUT}, {"a.yaml": changed}, {"b.yaml": changed}, pointer="/readinessProbe/httpGet/path")
        == 1
    )


async def test_a_value_that_a_kustomization_generates_is_blamed_in_the_file_it_comes_from() -> None:
    first = GENERATED | {"deploy/app.env": "# env\nTOKEN_TTL=90\n"}
    second = first | {"deploy/kustomization.yaml": KUSTOMIZATION.replace("MODE=fast", "MODE=slow")}
    assert await who(GENERATED, first, second, pointer="/TOKEN_TTL") == 1
    assert await who(GENERATED, first, second, pointer="/MODE") == 2


async def test_a_change_outside_the_range_has_no_commit() -> None:
    found = repository({"a.yaml": ROLLOUT})
    change = ValueChange(kind="Rollout", name="shop", pointer="/spec/x", old="1", new="2", file="a.yaml", line=1)
    assert (await blamed(change, (), found)).commit is None
