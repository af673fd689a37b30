"""What both versions suffer from: never the canary's doing, and a cause only where nothing of its own is known."""

from agents.diagnosis.nouns import Claim, Diagnosis
from agents.diagnosis.wording import sound
from agents.logs import level_of, strip_prefix
from agents.podstates import State
from agents.triage import Triage

GRAVE = frozenset({"error", "critical"})


def shared_cause(findings: Triage, found: Diagnosis) -> Diagnosis:
    """The answer for a canary without any trouble of its own, while both versions report a peer as an error.

    A warning about a peer that both get along without is the noise that it always was, and explains nothing.
    """
    if found.category != "unknown" or found.claims:
        return found
    grave = [state for state in findings.states.shared if state.kind == "dependency" and _is_grave(state)]
    if not grave:
        return found
    claims = [Claim(text=f"{state.sentence}, as in the stable version", evidence=state.evidence) for state in grave]
    return found.model_copy(
        update={
            "category": "infrastructure",
            "summary": f"{grave[0].sentence}, and in the stable version the same; nothing else is known of the canary",
            "claims": sound(findings.bundle, claims[:3]),
        }
    )


def _is_grave(state: State) -> bool:
    return any(level_of(strip_prefix(line)) in GRAVE for one in state.evidence for line in one.quote.split("\n"))
