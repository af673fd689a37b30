"""Which changed field explains a state."""

import pytest

from agents.changes import FieldChange, ValueChange
from agents.podstates import State, Wanted, explanations
from agents.podstates.explaining import is_called

LIMIT = "containers/[name=app]/resources/limits/memory"


def state(*wanted: Wanted) -> State:
    return State(kind="oom", category="code", sentence="", evidence=(), weight=1, wanted=wanted)


def deployed(old: str | None, new: str | None, pointer: str = f"/{LIMIT}") -> FieldChange:
    return FieldChange(pointer=pointer, old=old, new=new)


def written(
    pointer: str, kind: str = "Rollout", name: str = "shop", old: str | None = "1", new: str | None = "2"
) -> ValueChange:
    return ValueChange(pointer=pointer, kind=kind, name=name, old=old, new=new, file="a.yaml", line=1)


@pytest.mark.parametrize(
    ("sense", "old", "new", "explains"),
    [
        ("lower", "512Mi", "256Mi", True),
        ("lower", "256Mi", "512Mi", False),
        ("lower", "1Gi", "1024Mi", False),
        ("lower", None, "256Mi", True),
        ("lower", "256Mi", None, False),
        ("higher", "500m", "2", True),
        ("higher", "2", "500m", False),
        ("higher", "1e3", "2e3", True),
        ("gone", "1", None, True),
        ("gone", "1", "2", False),
        ("added", None, "1", True),
        ("any", "a", "b", True),
    ],
)
def test_a_change_has_to_go_the_way_that_explains_it(
    sense: str, old: str | None, new: str | None, *, explains: bool
) -> None:
    wanted = Wanted.model_validate({"field": LIMIT, "sense": sense})
    assert bool(explanations(state(wanted), [deployed(old, new)], "shop")) is explains


@pytest.mark.parametrize(
    ("sense", "old", "new", "explains"),
    [
        ("registry", "ghcr.io/a/b:1", "ghcr.io/a/b:2", False),
        ("registry", "ghcr.io/a/b:1", "quay.io/a/b:1", True),
        ("registry", "a/b:1", "localhost:5000/a/b:1", True),
        ("registry", "b:1", "a/b:2", False),
        ("repository", "ghcr.io/a/b:1", "ghcr.io/a/b@sha256:12", False),
        ("repository", "ghcr.io/a/b:1", "ghcr.io/a/c:1", True),
        ("repository", "localhost:5000/b", "localhost:5000/b:2", False),
    ],
)
def test_of_an_image_only_the_part_that_matters_counts(sense: str, old: str, new: str, *, explains: bool) -> None:
    wanted = Wanted.model_validate({"field": "containers/*/image", "sense": sense})
    change = deployed(old, new, "/containers/[name=app]/image")
    assert bool(explanations(state(wanted), [change], "shop")) is explains


def test_what_is_likelier_comes_first() -> None:
    first, second = Wanted(field="hostNetwork"), Wanted(field="containers/*/ports/**")
    ports, host = (
        deployed("1", "2", "/containers/[name=a]/ports/[name=http]/hostPort"),
        deployed("a", "b", "/hostNetwork"),
    )
    assert explanations(state(first, second), [ports, host], "shop") == [host, ports]


@pytest.mark.parametrize(
    ("change", "explains"),
    [
        (written(f"/spec/template/spec/{LIMIT}"), True),
        (written("/spec/template/spec/containers/0/resources/limits/memory"), True),
        (written(f"/spec/template/spec/{LIMIT}", name="other"), False),
        (written(f"/spec/template/spec/{LIMIT}", kind="Deployment"), True),
        (written(f"/spec/template/spec/{LIMIT}", kind="ConfigMap"), False),
        (written("/spec/template/spec/containers/[name=side]/resources/limits/memory"), False),
        (written(f"/spec/{LIMIT}"), False),
    ],
)
def test_only_the_template_of_the_rollout_that_failed_counts(change: ValueChange, *, explains: bool) -> None:
    assert bool(explanations(state(Wanted(field=LIMIT)), [change], "shop")) is explains


def test_a_tag_of_a_kustomization_is_a_change_of_an_image() -> None:
    wanted = Wanted(field="containers/[name=app]/image")
    tag = written("/images/[name=ghcr.io~1a~1b]/newTag", kind="Kustomization", name="deploy")
    assert explanations(state(wanted), [tag], "shop") == [tag]
    assert explanations(state(wanted), [written("/namespace", kind="Kustomization", name="deploy")], "shop") == []


def test_a_key_of_another_object_counts_by_its_kind_name_and_value() -> None:
    wanted = Wanted(kind="ConfigMap", name="settings-9k2m4f7b6d", field="data/URL", sense="gone")
    gone = written("/data/URL", kind="ConfigMap", name="settings", new=None)
    assert explanations(state(wanted), [gone], "shop") == [gone]
    assert explanations(state(wanted), [written("/data/URL", kind="Secret", name="settings", new=None)], "shop") == []
    exact = Wanted(field="containers/*/env/*/valueFrom/configMapKeyRef/key", value="URL")
    at = "/containers/[name=app]/env/[name=X]/valueFrom/configMapKeyRef/key"
    assert explanations(state(exact), [deployed("OTHER", "URL", at)], "shop") != []
    assert explanations(state(exact), [deployed("URL", "OTHER", at)], "shop") == []


@pytest.mark.parametrize(
    ("deployed_name", "name", "same"),
    [
        ("settings", "settings", True),
        ("settings-9k2m4f7b6d", "settings", True),
        ("prod-settings", "settings", True),
        ("settings2", "settings", False),
        ("shop", "shopping", False),
    ],
)
def test_kustomize_adds_to_the_names_in_files(deployed_name: str, name: str, *, same: bool) -> None:
    assert is_called(deployed_name, name) is same
