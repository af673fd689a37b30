from typing import Any

import pytest

from agents.evidence import Answer, Bundle, seal
from agents.incident import Incident
from agents.verification import container_environment, rendered_environment
from agents.verification.environment import STAND_IN, deployed_environment
from tests.fakes import START

MAPS = {"shop": {"FEED": "https://feed", "SIZE": "20"}, "files": {"app.yaml": "a: 1\n", "more.txt": "more\n"}}


def template(*, volumes: Any = None, **container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "app", **container}], "volumes": volumes or []}}


def of_map(name: str, key: str, **more: Any) -> dict[str, Any]:
    return {"configMapKeyRef": {"name": name, "key": key, **more}}


@pytest.mark.parametrize(
    ("container", "variables"),
    [
        pytest.param({"env": [{"name": "A", "value": "1"}, {"name": "B"}]}, {"A": "1", "B": ""}, id="literal"),
        pytest.param({"envFrom": [{"configMapRef": {"name": "shop"}}]}, MAPS["shop"], id="all of a ConfigMap"),
        pytest.param(
            {"envFrom": [{"prefix": "APP_", "configMapRef": {"name": "shop"}}]},
            {"APP_FEED": "https://feed", "APP_SIZE": "20"},
            id="with a prefix",
        ),
        pytest.param(
            {"envFrom": [{"configMapRef": {"name": "shop"}}], "env": [{"name": "SIZE", "value": "50"}]},
            {"FEED": "https://feed", "SIZE": "50"},
            id="env wins",
        ),
        pytest.param({"env": [{"name": "F", "valueFrom": of_map("shop", "FEED")}]}, {"F": "https://feed"}, id="a key"),
        pytest.param(
            {"env": [{"name": "F", "valueFrom": of_map("shop", "GONE", optional=True)}]}, {}, id="an optional key"
        ),
        pytest.param(
            {
                "envFrom": [{"configMapRef": {"name": "shop"}}],
                "env": [{"name": "U", "value": "$(FEED)/v1 $(NONE) $$(FEED)"}, {"name": "V", "value": "$(U)!"}],
            },
            {**MAPS["shop"], "U": "https://feed/v1 $(NONE) $(FEED)", "V": "https://feed/v1 $(NONE) $(FEED)!"},
            id="references to what stands before",
        ),
        pytest.param(
            {"env": [{"name": "LD_PRELOAD", "value": "/work/evil.so"}, {"name": "N", "value": "a\nb=c"}]},
            {"LD_PRELOAD": "/work/evil.so", "N": "a\nb=c"},
            id="whatever a pod may have",
        ),
        pytest.param({"envFrom": "no list", "env": [3, None]}, {}, id="nonsense"),
    ],
)
def test_variables_are_set_as_the_kubelet_does(container: dict[str, Any], variables: dict[str, str]) -> None:
    environment = container_environment(template(**container), "app", MAPS)
    assert dict(environment.variables) == variables
    assert environment.stand_ins == ()


@pytest.mark.parametrize(
    ("container", "value", "says"),
    [
        pytest.param(
            {"env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]},
            STAND_IN,
            "P: a stand-in, since Secret db is not read",
            id="a Secret's key",
        ),
        pytest.param({"envFrom": [{"secretRef": {"name": "db"}}]}, None, "all of Secret db", id="a whole Secret"),
        pytest.param(
            {"env": [{"name": "P", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]},
            STAND_IN,
            "P: its value is not in the manifests",
            id="a field of the pod",
        ),
        pytest.param(
            {"env": [{"name": "P", "valueFrom": of_map("elsewhere", "k")}]}, STAND_IN, "not captured", id="unknown map"
        ),
        pytest.param(
            {"envFrom": [{"configMapRef": {"name": "elsewhere"}}]}, None, "ConfigMap elsewhere", id="unknown whole map"
        ),
        pytest.param(
            {"env": [{"name": "P", "valueFrom": of_map("shop", "GONE")}]}, None, "would not start", id="missing key"
        ),
        pytest.param({"env": [{"name": "a=b", "value": "x"}]}, None, "'a=b': not a variable", id="no name at all"),
        pytest.param({"env": [{"name": "P", "value": "a\0b"}]}, None, "not a variable", id="no value at all"),
        pytest.param(
            {"env": [{"name": "P", "value": "[REDACTED:password:1]"}]},
            "[REDACTED:password:1]",
            "redacted",
            id="redacted",
        ),
        pytest.param(
            {"volumeMounts": [{"name": "tls", "mountPath": "/tls"}]},
            None,
            "the files of Secret cert at /tls",
            id="files",
        ),
    ],
)
def test_what_is_not_known_is_replaced_or_left_out_and_named(
    container: dict[str, Any], value: str | None, says: str
) -> None:
    volumes = [{"name": "tls", "secret": {"secretName": "cert"}}]
    environment = container_environment(template(volumes=volumes, **container), "app", MAPS)
    assert environment.variables.get("P") == value
    assert len(environment.stand_ins) == 1
    assert says in environment.stand_ins[0]


@pytest.mark.parametrize(
    ("volume", "mount", "files"),
    [
        pytest.param({"name": "files"}, {}, {"/conf/app.yaml": "a: 1\n", "/conf/more.txt": "more\n"}, id="all keys"),
        pytest.param(
            {"name": "files", "items": [{"key": "app.yaml", "path": "deep/x.yaml"}, {"key": "gone", "path": "y"}]},
            {},
            {"/conf/deep/x.yaml": "a: 1\n"},
            id="items",
        ),
        pytest.param({"name": "files"}, {"subPath": "app.yaml"}, {"/conf": "a: 1\n"}, id="one file by subPath"),
        pytest.param(
            {"name": "files", "items": [{"key": "app.yaml", "path": "deep/x.yaml"}]},
            {"subPath": "deep"},
            {"/conf/x.yaml": "a: 1\n"},
            id="a folder by subPath",
        ),
        pytest.param({"name": "files"}, {"subPath": "nothing"}, {}, id="subPath of nothing"),
        pytest.param({"name": "unknown"}, {}, {}, id="unknown map"),
    ],
)
@pytest.mark.parametrize("projected", [False, True])
def test_config_map_volumes_are_files(
    volume: dict[str, Any], mount: dict[str, Any], files: dict[str, str], *, projected: bool
) -> None:
    source = {"configMap": volume}
    volumes = [{"name": "v", **({"projected": {"sources": [source]}} if projected else source)}]
    mounts = [{"name": "v", "mountPath": "/conf/", **mount}, {"name": "absent", "mountPath": "/no"}]
    assert dict(container_environment(template(volumes=volumes, volumeMounts=mounts), None, MAPS).files) == files


def test_a_container_that_is_not_there_has_nothing() -> None:
    environment = container_environment(template(env=[{"name": "A", "value": "1"}]), "other", MAPS)
    assert (dict(environment.variables), dict(environment.files)) == ({}, {})


def bundle() -> Bundle:
    incident = Incident(
        cluster="eu", namespace="shop", rollout="shop", uid="u", canary_hash="bad", revision="2", stable_hash="good"
    )
    replica_sets = [
        Answer(
            id=f"objects/replicaset/shop-{name}",
            kind="object",
            side="none",
            status="ok",
            content={
                "metadata": {"name": f"shop-{name}", "labels": {"rollouts-pod-template-hash": name}},
                "spec": {"template": template(env=[{"name": "FEED", "valueFrom": of_map("shop", key)}])},
            },
        )
        for name, key in (("good", "OLD"), ("bad", "FEED"))
    ]
    config = {"metadata": {"name": "shop"}, "data": {"FEED": "deployed", "n": 3}}
    return seal(
        incident,
        1,
        [*replica_sets, Answer(id="config/shop", kind="config", side="none", status="ok", content=config)],
        START,
    )


def test_the_canarys_pods_and_the_captured_config_maps_are_what_was_deployed() -> None:
    assert dict(deployed_environment(bundle(), "app").variables) == {"FEED": "deployed"}


@pytest.mark.parametrize(
    ("files", "feed"),
    [
        pytest.param({}, "deployed", id="nothing in the files"),
        pytest.param(
            {"c.yaml": "kind: ConfigMap\nmetadata: {name: shop}\ndata: {FEED: from-git}\n"},
            "from-git",
            id="a ConfigMap",
        ),
        pytest.param(
            {
                "all.yaml": "kind: Service\n---\nkind: Rollout\nmetadata: {name: shop}\nspec: {template: {spec: "
                "{containers: [{name: app, env: [{name: FEED, value: literal}]}]}}}\n---\n"
            },
            "literal",
            id="the Rollout",
        ),
        pytest.param({"c.yaml": "kind: Rollout\nmetadata: {name: another}\n"}, "deployed", id="another Rollout"),
        pytest.param(
            {
                "helm.yaml": "a: {{ .Values.x }}\n",
                "date.yaml": "a: 2026-13-45\n",
                "deep.yaml": "[" * 900,
                "n.yaml": "3",
            },
            "deployed",
            id="what is no manifest",
        ),
    ],
)
def test_manifests_replace_what_they_hold_and_the_rest_stays_as_deployed(files: dict[str, str], feed: str) -> None:
    assert dict(rendered_environment(files, bundle(), "app").variables) == {"FEED": feed}
