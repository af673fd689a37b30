"""The manifests of k8s/: they are what Kubernetes takes, they allow no more than they must, and they fit the code."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from agents.policy import parse_policy
from app.api import health
from app.notification import FAILURES, SIGNALS
from app.settings import Settings
from tests.kustomization import K8S, Object, identity, load_all, render

BASE, STANDALONE, WATCHED = K8S / "base", K8S / "overlays" / "standalone", K8S / "watched-namespace"
ARGO, ARGOCD, NO_CONFIG = (K8S / "components" / name for name in ("argo", "argocd", "no-config"))
SETTINGS = {f"SELFHEAL_{name.upper()}" for name in Settings.model_fields}
INSTALLATIONS = {
    "standalone": render(STANDALONE),
    "with Argo CD": render(STANDALONE, ARGOCD),
    "without ConfigMaps": render(STANDALONE, NO_CONFIG),
    "a watched namespace": render(WATCHED),
}
EXAMPLES = list(chain.from_iterable(load_all(path) for path in sorted(K8S.rglob("*secret.example.yaml"))))
WRITABLE = {"/data", "/tmp"}  # noqa: S108 - a path in the pod
READING = {"get", "list", "watch"}
NEEDED = {
    ("argoproj.io", "rollouts"): {"get", "list", "watch"},
    ("argoproj.io", "analysisruns"): {"get", "list", "watch"},
    ("argoproj.io", "experiments"): {"get", "list", "watch"},
    ("argoproj.io", "analysistemplates"): {"get", "list", "watch"},
    ("argoproj.io", "applications"): {"get", "list"},
    ("apps", "replicasets"): {"get", "list"},
    ("apps", "deployments"): {"get", "list"},
    ("", "pods"): {"get", "list", "watch"},
    ("", "pods/log"): {"get"},
    ("", "events"): {"get", "list"},
    ("", "services"): {"get", "list"},
    ("", "configmaps"): {"get"},
    ("batch", "jobs"): {"get", "list"},
    ("networking.k8s.io", "ingresses"): {"get"},
    ("autoscaling", "horizontalpodautoscalers"): {"get", "list"},
}
"""Everything that evidence is read from, and not a verb more."""


def named(installation: str, kind: str, name: str = "selfheal") -> Object:
    (found,) = (one for one in INSTALLATIONS[installation] if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return found


def granted(objects: list[Object]) -> Iterator[tuple[str, str, str]]:
    """(API group, resource, verb) of every rule."""
    for one in objects:
        for rule in one.get("rules", ()) if one["kind"] in {"Role", "ClusterRole"} else ():
            assert rule.keys() <= {"apiGroups", "resources", "verbs"}
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    yield from ((group, resource, verb) for verb in rule["verbs"])


def container() -> dict[str, Any]:
    pod = named("standalone", "Deployment")["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    return dict(only)


@pytest.mark.parametrize(
    "thing",
    [
        *(
            pytest.param(one, id=f"{name}: {one['kind']} {one['metadata']['name']}")
            for name, objects in INSTALLATIONS.items()
            for one in objects
        ),
        *(pytest.param(one, id=f"example: {one['metadata']['name']}") for one in EXAMPLES),
    ],
)
def test_every_object_is_valid_in_a_recent_kubernetes(thing: Object) -> None:
    assert kubernetes_validate.validate(thing, "1.37", strict=True) == "1.37"


def test_a_mistake_in_an_object_is_seen() -> None:
    broken = named("standalone", "Service") | {"spec": {"ports": [{"prot": 8080}]}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.37", strict=True)


def test_an_object_stands_in_the_namespace_it_was_meant_for() -> None:
    namespaces = {one["metadata"].get("namespace") for one in INSTALLATIONS["with Argo CD"]}
    assert namespaces == {None, "selfheal", "argo-rollouts", "argocd"}
    unbound = [identity(one) for one in INSTALLATIONS["with Argo CD"] if "namespace" not in one["metadata"]]
    assert {kind for kind, *_ in unbound} == {"Namespace", "ClusterRole"}
    assert all("namespace" not in one["metadata"] for one in INSTALLATIONS["a watched namespace"])


def test_what_is_granted_is_what_evidence_is_read_from_and_no_more() -> None:
    rights: dict[tuple[str, str], set[str]] = {}
    for group, resource, verb in granted(INSTALLATIONS["with Argo CD"]):
        rights.setdefault((group, resource), set()).add(verb)
    assert rights == NEEDED


@pytest.mark.parametrize("installation", INSTALLATIONS)
def test_no_role_reads_secrets_enters_pods_or_writes(installation: str) -> None:
    for group, resource, verb in granted(INSTALLATIONS[installation]):
        assert "*" not in group + resource + verb
        assert not resource.startswith("secrets")
        assert resource not in {"pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers"}
        assert verb in READING


def test_nothing_is_bound_to_the_whole_cluster() -> None:
    everything = list(chain.from_iterable(INSTALLATIONS.values()))
    assert not [one for one in everything if one["kind"] == "ClusterRoleBinding"]


def test_bindings_name_roles_and_accounts_that_are_there() -> None:
    roles = {identity(one) for one in INSTALLATIONS["with Argo CD"] if one["kind"] in {"Role", "ClusterRole"}}
    account = named("standalone", "ServiceAccount")["metadata"]
    bindings = [
        one
        for name in ("with Argo CD", "a watched namespace")
        for one in INSTALLATIONS[name]
        if one["kind"] == "RoleBinding"
    ]
    assert len(bindings) == 3
    for binding in bindings:
        ref = binding["roleRef"]
        namespace = binding["metadata"].get("namespace", "") if ref["kind"] == "Role" else ""
        assert (ref["kind"], namespace, ref["name"]) in roles
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
        ]


def test_the_component_takes_config_maps_away_and_nothing_else() -> None:
    before, after = (set(granted(INSTALLATIONS[name])) for name in ("standalone", "without ConfigMaps"))
    assert before - after == {("", "configmaps", "get")}
    assert after < before


def test_the_pod_runs_as_nobody_in_particular_and_cannot_gain_more() -> None:
    pod = named("standalone", "Deployment")["spec"]["template"]["spec"]
    context, own = pod["securityContext"], container()["securityContext"]
    assert (context["runAsNonRoot"], context["seccompProfile"]["type"]) == (True, "RuntimeDefault")
    assert context["runAsUser"] == context["fsGroup"] > 1000
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
    assert named("standalone", "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_what_the_service_writes_to_is_a_volume_and_the_rest_is_not() -> None:
    volumes = {one["name"]: one for one in named("standalone", "Deployment")["spec"]["template"]["spec"]["volumes"]}
    mounts = {one["mountPath"]: one for one in container()["volumeMounts"]}
    assert {mount["name"] for mount in mounts.values()} == volumes.keys()
    assert {path for path, mount in mounts.items() if not mount.get("readOnly")} == WRITABLE
    claim = volumes["data"]["persistentVolumeClaim"]["claimName"]
    assert named("standalone", "PersistentVolumeClaim", claim)["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert named("standalone", "Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def test_the_settings_of_the_pod_exist_and_lead_to_its_volumes() -> None:
    env = {one["name"]: one["value"] for one in container()["env"]}
    assert env.keys() <= SETTINGS
    assert (env["SELFHEAL_DATA_DIR"], env["SELFHEAL_HOST"]) == ("/data", "0.0.0.0")
    plain, secret = container()["envFrom"]
    assert named("standalone", "ConfigMap", plain["configMapRef"]["name"])["data"].keys() == {"SELFHEAL_NAMESPACES"}
    assert "SELFHEAL_NAMESPACES" in SETTINGS
    (example,) = (one for one in EXAMPLES if one["metadata"]["name"] == secret["secretRef"]["name"])
    assert {"SELFHEAL_WEBHOOK_TOKENS", "SELFHEAL_API_TOKENS"} == example["stringData"].keys() <= SETTINGS
    policy = named("standalone", "ConfigMap", "selfheal-policy")["data"]
    folder, _, file = env["SELFHEAL_POLICY"].rpartition("/")
    assert parse_policy(policy[file]).repositories == ()
    assert folder in {one["mountPath"] for one in container()["volumeMounts"]}


def test_no_secret_is_installed_with_a_placeholder_that_everybody_knows() -> None:
    assert not [one for objects in INSTALLATIONS.values() for one in objects if one["kind"] == "Secret"]


def test_the_probes_ask_what_the_service_answers() -> None:
    async def ready() -> bool:
        return True

    answered = {getattr(route, "path", "") for route in health.router(ready).routes}
    probes = {kind: container()[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startup": "/readyz",
        "readiness": "/readyz",
        "liveness": "/healthz",
    }
    assert {"/readyz", "/healthz"} <= answered
    assert {probe["port"] for probe in probes.values()} == {container()["ports"][0]["name"]}


def test_only_argo_rollouts_gets_in_and_only_to_the_port() -> None:
    policy = named("standalone", "NetworkPolicy")["spec"]
    labels = named("standalone", "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"] == labels == named("standalone", "Service")["spec"]["selector"]
    (rule,) = policy["ingress"]
    (sender,) = rule["from"]
    notifications = named("standalone", "ConfigMap", "argo-rollouts-notification-configmap")
    assert sender["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": notifications["metadata"]["namespace"]
    }
    assert [port["port"] for port in rule["ports"]] == [container()["ports"][0]["name"]]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    web = [rule for rule in policy["egress"] if {port["port"] for port in rule["ports"]} & {80, 443}]
    assert all("169.254.0.0/16" in block["ipBlock"]["except"] for rule in web for block in rule["to"][:1])


def notification(key: str) -> Any:
    text = named("standalone", "ConfigMap", "argo-rollouts-notification-configmap")["data"][key]
    return YAML(typ="safe", pure=True).load(text)


def test_argo_rollouts_posts_to_the_service_with_the_token_of_its_secret() -> None:
    service, port = named("standalone", "Service"), named("standalone", "Service")["spec"]["ports"][0]["port"]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    sender = notification("service.webhook.selfheal")
    assert sender["url"] == f"http://{name}.{namespace}.svc.cluster.local:{port}"
    headers = {one["name"]: one["value"] for one in sender["headers"]}
    assert headers == {"Content-Type": "application/json", "Authorization": "Bearer $selfheal-token"}
    (secret,) = (one for one in EXAMPLES if one["metadata"]["namespace"] == "argo-rollouts")
    assert (secret["metadata"]["name"], list(secret["stringData"])) == (
        "argo-rollouts-notification-secret",
        ["selfheal-token"],
    )


def test_every_trigger_has_a_template_of_its_own_that_names_it_and_the_service_knows_it() -> None:
    data = named("standalone", "ConfigMap", "argo-rollouts-notification-configmap")["data"]
    defaults = notification("defaultTriggers.selfheal")
    triggers = {key.removeprefix("trigger.") for key in data if key.startswith("trigger.")}
    assert set(defaults) == triggers
    for trigger in triggers:
        (rule,) = notification(f"trigger.{trigger}")
        (template,) = rule["send"]
        sent = notification(f"template.{template}")["webhook"]["selfheal"]
        assert (sent["method"], sent["path"]) == ("POST", "/webhooks/argo-rollouts")
        assert f'"schema" "selfheal.argo/v1" "trigger" "{trigger}"' in sent["body"]
        assert ".secrets" not in sent["body"]
    assert triggers == FAILURES | SIGNALS


def test_the_subscription_example_is_the_annotation_that_the_defaults_are_for() -> None:
    (rollout,) = load_all(ARGO / "subscription.example.yaml")
    annotations = rollout["metadata"]["annotations"]
    assert annotations["notifications.argoproj.io/subscribe.selfheal"] == ""
    assert {"selfheal.io/source-repo", "selfheal.io/source-revision"} < annotations.keys()
