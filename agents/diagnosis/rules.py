"""`diagnose`: what failed, where, by which commit, by rules alone.

Every claim cites the bundle, and one whose citation does not hold is dropped. Each kind of rule is a module of its own;
the order in which they are asked is here.
"""

from agents.diagnosis.blame import blamed, blamed_by_statement, complains_of_the_world
from agents.diagnosis.config import config_cause, guilty_value
from agents.diagnosis.nouns import Claim, Diagnosis
from agents.diagnosis.shared import shared_cause
from agents.diagnosis.slow import failing_cause, slow_cause
from agents.diagnosis.states import measured_by, outranks, rule_on_states, state_claims
from agents.diagnosis.traces import code_cause, stated_cause, unexplained, without_trace
from agents.diagnosis.wording import sound, trace_claim
from agents.evidence import Bundle, Citation
from agents.evidence.origin import dig
from agents.triage import Triage


def diagnose(findings: Triage) -> Diagnosis:
    """Name the cause as far as the findings carry."""
    diagnosis = _cause(findings)
    if findings.circumstance != "failed":
        return _without_fix(diagnosis, findings)
    return diagnosis


def _cause(findings: Triage) -> Diagnosis:
    trace = findings.trace
    value = guilty_value(trace, findings.values) if trace is not None else None
    ruling = rule_on_states(findings) if value is None else None
    if ruling is not None and outranks(ruling, findings):
        return ruling.diagnosis
    if trace is None:
        return _cause_without_trace(findings)
    claims = (*sound(findings.bundle, [trace_claim(findings.bundle, trace)]), *state_claims(findings))
    if value is not None:
        return config_cause(findings, trace, value, claims)
    top = blamed(findings, trace)
    if top is not None:
        return code_cause(findings, trace, top, claims)
    return unexplained(findings, trace, claims)


def _cause_without_trace(findings: Triage) -> Diagnosis:
    if findings.slowdown is not None:
        return slow_cause(findings, findings.slowdown)
    if findings.failing is not None and not complains_of_the_world(findings):
        return failing_cause(findings, findings.failing)
    stated = blamed_by_statement(findings)
    if stated is not None:
        return stated_cause(findings, stated)
    return shared_cause(findings, without_trace(findings))


def _without_fix(diagnosis: Diagnosis, findings: Triage) -> Diagnosis:
    """What ended the canary was no verdict about its code, so nothing is proposed."""
    match findings.circumstance:
        case "metric-error":
            claims = sound(findings.bundle, _analysis_claims(findings.bundle))
            return diagnosis.model_copy(
                update={
                    "category": measured_by(findings),
                    "summary": "a metric of the analysis could not be measured; that says nothing about the code",
                    "confidence": "medium",
                    "location": None,
                    "culprit_commit": None,
                    "claims": (*claims, *diagnosis.claims),
                    "strategy": None,
                    "repository": None,
                }
            )
        case "manual-abort":
            said = "a person aborted the canary"
        case _:
            said = "the analysis was inconclusive and the canary is paused"
    return diagnosis.model_copy(update={"summary": f"{said}; {diagnosis.summary}", "strategy": None})


def _analysis_claims(bundle: Bundle) -> list[Claim]:
    claims = []
    for run in bundle.objects("analysisrun"):
        status = dig(run, "status")
        if status.get("message") and status.get("phase") == "Error":
            name = dig(run, "metadata").get("name")
            citation = Citation(ref=f"objects/analysisrun/{name}#/status/message", quote=str(status["message"]))
            claims.append(Claim(text=f"AnalysisRun {name} ended in Error", evidence=(citation,)))
    return claims
