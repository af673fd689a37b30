"""The decision on a patch: the policy on the final diff, then the table of DESIGN section 5."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from agents.diagnosis import Confidence
from agents.patch import Patch
from agents.policy.diffs import refuse_diff, refuse_written_diff
from agents.policy.rules import Mode, RepositoryRule
from agents.policy.secrets import refuse_secrets
from agents.policy.silencing import refuse_silencing
from agents.policy.terms import NOTHING_KNOWN, STRICTEST, Background, ModelTerms
from agents.verification import Verification


class Decision(BaseModel):
    """What the graph does with a patch. `reasons` says why it is less than the mode allows."""

    model_config = ConfigDict(frozen=True)

    action: Literal["pull_request", "draft", "report"]
    reasons: tuple[str, ...] = ()


def decide(
    patch: Patch,
    verification: Verification,
    confidence: Confidence,
    rule: RepositoryRule,
    mode: Mode,
    terms: ModelTerms = STRICTEST,
    background: Background = NOTHING_KNOWN,
) -> Decision:
    """Apply the policy to the final diff, then the table of DESIGN section 5.

    A diff that a model wrote keeps to `terms` too, and is pushed only when it is verified.
    """
    refusals = (
        *refuse_diff(patch, rule),
        *refuse_secrets(patch),
        *refuse_silencing(patch, background),
        *(refuse_written_diff(patch, terms) if patch.by_model else ()),
    )
    if refusals:
        return Decision(action="report", reasons=refusals)
    if mode == "observe":
        return Decision(action="report", reasons=("the mode is `observe`: nothing leaves the service",))
    if verification.verdict == "refuted":
        return Decision(action="report", reasons=verification.unchecked or ("the fix did not remove the failure",))
    if verification.verdict == "verified":
        return Decision(action="pull_request" if mode == "ready" else "draft")
    if patch.is_pin or (confidence == "high" and not patch.by_model):  # a pin does not rest on the diagnosis
        return Decision(action="draft", reasons=verification.unchecked)
    why = "a model wrote this change" if patch.by_model else f"the confidence is only {confidence}"
    return Decision(action="report", reasons=(f"not verified, and {why}", *verification.unchecked))
