"""What was looked at, for a reader who is told that the cause is not known."""

from agents.triage import Triage


def looked_at(findings: Triage) -> str:
    """One line with what there was to look at."""
    bundle = findings.bundle
    logs = len(bundle.logs("canary"))
    pods = sum(item.side == "canary" and item.id.startswith("objects/pod/") for item in bundle.manifest.items)
    parts = [
        _count(logs, "log of the canary", "logs of the canary"),
        _count(pods, "pod of the canary", "pods of the canary"),
        _count(len(findings.commits), "commit of the source", "commits of the source")
        if findings.compared
        else "no changes of the source",
        _count(len(findings.values), "changed value of the manifests", "changed values of the manifests")
        if findings.manifest_commits
        else "no changes of the manifests",
    ]
    return f"looked at {', '.join(parts)}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
