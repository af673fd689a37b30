"""Which objects belong to a rollout, and what its objects name: computed from what was read, never guessed.

The sources are the ownership rules of Argo Rollouts: ReplicaSets are called `<rollout>-<hash>`, an experiment's
`<experiment>-<template>` with a hash of their own; AnalysisRuns of an experiment carry no labels (FINDINGS 4.8).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agents.evidence.applications import INSTANCE, tracked_by
from agents.evidence.cluster import Kind, Related, Side, Target
from agents.evidence.origin import HASH_LABEL, dig, label, mappings

REVISION_ANNOTATION = "rollout.argoproj.io/revision"
ANALYSIS_UID = "analysisrun.argoproj.io/uid"
CANARY_SERVICES = ("canaryService", "stableService")
BLUE_GREEN_SERVICES = ("activeService", "previewService")


def belongs(thing: Mapping[str, Any], kind: Kind, target: Target) -> bool:
    """Whether an object that the labels selected is the rollout's: two rollouts can have the same pod template."""
    match kind:
        case "replicaset" | "experiment" | "analysisrun":
            return _is_owned(thing, target)
        case "pod":
            return _is_pod(thing, target)
        case "service":
            return _serves(thing, target.related or Related())
        case "horizontalpodautoscaler":
            return _scales(thing, target)
        case "event":
            return involves(thing, target)
    return True


def involves(event: Mapping[str, Any], target: Target) -> bool:
    """Whether an Event is about the rollout or something of its two versions."""
    name = str(dig(event, "involvedObject").get("name") or "")
    if name == target.rollout:
        return True
    prefixes = [f"{target.rollout}-{version}" for version in (target.canary_hash, target.stable_hash)]
    uids = target.related.analysis_uids if target.related else ()
    return name.startswith((*prefixes, *(f"{uid}." for uid in uids)))


def relate(found: Mapping[Kind, Sequence[Mapping[str, Any]]], target: Target) -> Related:
    """What the objects of the first answer name."""
    rollout = next(iter(found.get("rollout", ())), {})
    replica_sets = found.get("replicaset", ())
    templates = [dig(thing, "spec", "template") for thing in (*replica_sets, rollout)]
    experiments, runs = found.get("experiment", ()), found.get("analysisrun", ())
    workload = dig(rollout, "spec", "workloadRef")
    labels = next((dig(one, "metadata", "labels") for one in templates if dig(one, "metadata", "labels")), {})
    names: dict[Kind, Iterable[str]] = {
        "configmap": _config_maps(templates),
        "deployment": [workload["name"]] if workload.get("kind") == "Deployment" and workload.get("name") else [],
        "service": _services(rollout),
        "ingress": _ingresses(rollout),
        "application": _applications(rollout, target),
        "analysistemplate": _analysis_templates(rollout, of_cluster=False),
        "clusteranalysistemplate": _analysis_templates(rollout, of_cluster=True),
        "experiment": [str(dig(one, "metadata").get("name")) for one in experiments],
        "analysisrun": [
            str(run["analysisRun"])
            for one in experiments
            for run in mappings(dig(one, "status").get("analysisRuns"))
            if run.get("analysisRun")
        ],
    }
    return Related(
        names={kind: tuple(sorted(set(some))) for kind, some in names.items() if some},
        selector=str(dig(rollout, "status").get("selector") or ""),
        pod_labels={str(key): str(value) for key, value in labels.items() if key != HASH_LABEL},
        analysis_uids=tuple(str(dig(run, "metadata").get("uid")) for run in runs if _has_job(run)),
        job_namespaces=tuple(sorted({one for run in runs for one in _job_namespaces(run)} - {target.namespace})),
        sides=_sides(experiments, target),
    )


def side_of(thing: Mapping[str, Any], target: Target) -> Side:
    """Which version an object is of: by its hash, or by the experiment's ReplicaSet that it is or belongs to."""
    match label(thing):
        case target.canary_hash:
            return "canary"
        case target.stable_hash:
            return "stable"
    sides = target.related.sides if target.related else {}
    owners = mappings(dig(thing, "metadata").get("ownerReferences"))
    names = (dig(thing, "metadata").get("name"), *(owner.get("name") for owner in owners))
    return next((sides[str(name)] for name in names if str(name) in sides), "none")


def _owners(thing: Mapping[str, Any], kind: str) -> tuple[Mapping[str, Any], ...]:
    owners = mappings(dig(thing, "metadata").get("ownerReferences"))
    return tuple(owner for owner in owners if owner.get("kind") == kind)


def _is_owned(thing: Mapping[str, Any], target: Target) -> bool:
    """By the rollout, or by an experiment of this canary; an AnalysisRun also has to be of this revision."""
    experiments = f"{target.rollout}-{target.canary_hash}-"
    if any(str(owner.get("name")).startswith(experiments) for owner in _owners(thing, "Experiment")):
        return True
    revision = dig(thing, "metadata", "annotations").get(REVISION_ANNOTATION)
    if thing.get("kind") == "AnalysisRun" and target.revision and revision not in {target.revision, None}:
        return False
    return any(
        owner.get("name") == target.rollout and owner.get("uid") in {target.uid or owner.get("uid"), None}
        for owner in _owners(thing, "Rollout")
    )


def is_of_job(pod: Mapping[str, Any], target: Target) -> bool:
    """Whether a pod ran for a `job` metric of this canary's analysis; it is of neither version."""
    uid = dig(pod, "metadata", "labels").get(ANALYSIS_UID)
    return target.related is not None and uid in target.related.analysis_uids


def _is_pod(pod: Mapping[str, Any], target: Target) -> bool:
    if ANALYSIS_UID in dig(pod, "metadata", "labels"):
        return is_of_job(pod, target)
    versions = (f"{target.rollout}-{target.canary_hash}", f"{target.rollout}-{target.stable_hash}")
    names = [str(owner.get("name")) for owner in _owners(pod, "ReplicaSet")]
    return any(name in versions or name.startswith(f"{versions[0]}-") for name in names)


def _serves(service: Mapping[str, Any], related: Related) -> bool:
    if dig(service, "metadata").get("name") in related.names.get("service", ()):
        return True
    selector = {key: value for key, value in dig(service, "spec", "selector").items() if key != HASH_LABEL}
    return bool(selector) and selector.items() <= related.pod_labels.items()


def _scales(autoscaler: Mapping[str, Any], target: Target) -> bool:
    """An autoscaler can have any name; what it scales is the Rollout, or the Deployment that it takes its pods from."""
    scaled = dig(autoscaler, "spec", "scaleTargetRef")
    deployments = target.related.names.get("deployment", ()) if target.related else ()
    of_ours = {"Rollout": (target.rollout,), "Deployment": deployments}
    return scaled.get("name") in of_ours.get(str(scaled.get("kind")), ())


def _sides(experiments: Iterable[Mapping[str, Any]], target: Target) -> dict[str, Side]:
    """An experiment's template repeats the labels of the version that it runs."""
    sides: dict[str, Side] = {}
    for experiment in experiments:
        for template in mappings(dig(experiment, "spec").get("templates")):
            version = dig(template, "template", "metadata", "labels").get(HASH_LABEL)
            name = f"{dig(experiment, 'metadata').get('name')}-{template.get('name')}"
            if version == target.canary_hash:
                sides[name] = "canary"
            elif version == target.stable_hash:
                sides[name] = "stable"
    return sides


def _config_maps(templates: Iterable[Mapping[str, Any]]) -> set[str]:
    """ConfigMaps by name, from the environment and the volumes of the pod templates; Secrets are left alone."""
    names: set[object] = set()
    for template in templates:
        spec = dig(template, "spec")
        for group in ("initContainers", "containers"):
            for container in mappings(spec.get(group)):
                for source in mappings(container.get("envFrom")):
                    names.add(dig(source, "configMapRef").get("name"))
                for variable in mappings(container.get("env")):
                    names.add(dig(variable, "valueFrom", "configMapKeyRef").get("name"))
        for volume in mappings(spec.get("volumes")):
            names.add(dig(volume, "configMap").get("name"))
            names |= {dig(part, "configMap").get("name") for part in mappings(dig(volume, "projected").get("sources"))}
    return {name for name in names if isinstance(name, str) and name}


def _services(rollout: Mapping[str, Any]) -> set[str]:
    canary, blue_green = (dig(rollout, "spec", "strategy", name) for name in ("canary", "blueGreen"))
    ping_pong = dig(canary, "pingPong")
    names = [canary.get(name) for name in CANARY_SERVICES] + [blue_green.get(name) for name in BLUE_GREEN_SERVICES]
    names += [ping_pong.get("pingService"), ping_pong.get("pongService")]
    names.append(dig(canary, "trafficRouting", "alb").get("rootService"))
    return {name for name in names if isinstance(name, str) and name}


def _ingresses(rollout: Mapping[str, Any]) -> set[str]:
    routing = dig(rollout, "spec", "strategy", "canary", "trafficRouting")
    names: list[Any] = [dig(routing, "nginx").get("stableIngress"), dig(routing, "alb").get("ingress")]
    for provider in ("nginx", "alb"):
        for field in ("stableIngresses", "ingresses"):
            some = dig(routing, provider).get(field)
            names += some if isinstance(some, list) else []
    return {name for name in names if isinstance(name, str) and name}


def _applications(rollout: Mapping[str, Any], target: Target) -> set[str]:
    """From the tracking id, else from the instance label: that the Application lists the Rollout is checked later."""
    name = tracked_by(rollout, target) or dig(rollout, "metadata", "labels").get(INSTANCE)
    return {str(name)} if name else set()


def _analysis_templates(rollout: Mapping[str, Any], *, of_cluster: bool) -> set[str]:
    """The templates that the strategy names: those of the namespace, or those of the whole cluster."""
    canary, blue_green = (dig(rollout, "spec", "strategy", name) for name in ("canary", "blueGreen"))
    analyses = [dig(canary, "analysis"), *(dig(step, "analysis") for step in mappings(canary.get("steps")))]
    analyses += [dig(blue_green, name) for name in ("prePromotionAnalysis", "postPromotionAnalysis")]
    analyses += [{"templates": dig(step, "experiment").get("analyses")} for step in mappings(canary.get("steps"))]
    return {
        str(template["templateName"])
        for analysis in analyses
        for template in mappings(analysis.get("templates"))
        if template.get("templateName") and (template.get("clusterScope") is True) == of_cluster
    }


def _has_job(run: Mapping[str, Any]) -> bool:
    return any(dig(metric, "provider").get("job") is not None for metric in mappings(dig(run, "spec").get("metrics")))


def _job_namespaces(run: Mapping[str, Any]) -> set[str]:
    """The controller can be told to run the Jobs of metrics in a namespace of their own."""
    measurements = (
        one
        for metric in mappings(dig(run, "status").get("metricResults"))
        for one in mappings(metric.get("measurements"))
    )
    return {str(name) for one in measurements if (name := dig(one, "metadata").get("job-namespace"))}
