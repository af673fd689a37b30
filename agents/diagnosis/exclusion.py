"""What is left when nothing names the cause: if only one kind of thing changed between the versions, it is in there."""

from typing import Literal

from agents.changes import ValueChange
from agents.diagnosis.nouns import Category, Diagnosis, Location
from agents.podstates import is_of_rollout
from agents.triage import Triage

Changed = Literal["code", "config", "both", "unknown"]


def what_changed(findings: Triage) -> Changed:
    """Whether images, settings or both differ between the versions as they were deployed; unknown where that is."""
    if not findings.fields:
        return "unknown"
    code = any(change.pointer.endswith("/image") for change in findings.fields)
    config = any(not change.pointer.endswith("/image") for change in findings.fields) or any(
        value.is_config for value in findings.values
    )
    return "both" if code and config else "code" if code else "config"


def narrow(findings: Triage, diagnosis: Diagnosis) -> Diagnosis:
    """A diagnosis without a cause, as far as the only kind of thing that changed names one: never with much confidence.

    Where one commit of the manifests made all the changes, it is that.
    """
    changed = what_changed(findings)
    if changed == "code":
        return _only(diagnosis, "code", "of what was deployed only the images differ, so it lies in the code")
    if changed != "config":
        return diagnosis
    why = "the images are the same, so it lies in the configuration"
    values = [value for value in findings.values if value.is_config or is_of_rollout(value, findings.bundle)]
    if not values or values[0].commit is None or len({value.commit for value in values}) > 1:
        return _only(diagnosis, "config", why)
    return _located(findings, _only(diagnosis, "config", why), values[0])


def _only(diagnosis: Diagnosis, category: Category, why: str) -> Diagnosis:
    return diagnosis.model_copy(
        update={"category": category, "summary": f"{diagnosis.summary}; {why}", "confidence": "low"}
    )


def _located(findings: Triage, diagnosis: Diagnosis, value: ValueChange) -> Diagnosis:
    culprit = next((one for one in findings.manifest_commits if one.sha == value.commit), None)
    by = f", which one commit changed: {value.commit} ({culprit.subject})" if culprit else ""
    return diagnosis.model_copy(
        update={
            "summary": f"{diagnosis.summary}{by}",
            "confidence": "medium",
            "location": Location(file=value.file, line=value.line),
            "culprit_commit": value.commit,
            "strategy": "restore",
            "repository": "manifests",
        }
    )
