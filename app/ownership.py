"""Which Rollout does a failed AnalysisRun or Experiment belong to: owner references followed in the cluster."""

from agents.evidence import Cluster, Objects
from agents.evidence.origin import dig, mappings
from agents.incident import Incident
from app.notification import ENABLED, Lead, Sighting, identify


async def follow(cluster: Cluster | None, lead: Lead) -> Sighting | str | None:
    """The sighting of its Rollout, or the reason why there is none; None if the cluster gave no answer this time."""
    if cluster is None:
        return "no cluster is configured to find its Rollout in"
    name = lead.owner
    if lead.owner_kind == "Experiment":
        found = await cluster.read(lead.cluster, "experiment", lead.namespace, lead.owner)
        if not found.objects:
            return _reason(found)
        owner = _rollout_of(found)
        if owner is None:
            return f"the Experiment {lead.owner} belongs to no Rollout"
        name = owner
    found = await cluster.find(lead.cluster, lead.namespace, name)
    if not found.objects:
        return _reason(found)
    return _sighting(found, lead)


def _sighting(found: Objects, lead: Lead) -> Sighting | str:
    (rollout, *_) = found.objects
    if str(dig(rollout, "metadata", "annotations").get(ENABLED)).strip().lower() == "false":
        return f"{ENABLED} is false"
    incident = identify(rollout, lead.cluster)
    if not isinstance(incident, Incident):
        return incident
    if lead.canary_hash not in {incident.canary_hash, None}:
        return f"the Rollout is at {incident.canary_hash} by now, and no longer at {lead.canary_hash}"
    return Sighting(incident=incident, trigger=lead.trigger, failed_at=lead.failed_at)


def _rollout_of(found: Objects) -> str | None:
    for experiment in found.objects:
        for owner in mappings(dig(experiment, "metadata").get("ownerReferences")):
            if owner.get("kind") == "Rollout" and owner.get("name"):
                return str(owner["name"])
    return None


def _reason(found: Objects) -> str | None:
    return None if found.status == "failed" else found.reason or found.status
