"""What the roles that are shipped in k8s/ allow."""

from functools import cache
from pathlib import Path

from tests.kustomization import K8S, render


@cache
def shipped_rights(*components: Path) -> frozenset[tuple[str, str]]:
    """Verb and resource of every rule of an installation that reads Argo CD's Applications as well."""
    objects = render(K8S / "overlays" / "standalone", K8S / "components" / "argocd", *components)
    return frozenset(
        (verb, resource)
        for one in objects
        if one["kind"] in {"Role", "ClusterRole"}
        for rule in one["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    )
