"""What a pull request says of the way it was chosen, of what merging it sets off, and of the other one beside it. Pure.

Whatever comes from outside passes `markdown`, as in `report`.
"""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from agents.markdown import code, prose
from agents.patch import BY_MODEL, BY_PIN, Patch
from agents.strategies.restarting import Effect

MOST_TRIED = 8
ORDER = (
    "The order is: a model's edit; the value that the stable version had; the blamed change taken back, place, file, "
    "commit; the stable version pinned."
)
REASONS = {
    BY_MODEL: "An edit can keep what the change was made for, which a revert cannot.",
    "revert": "A revert needs no new idea: it takes back as little of the blamed change as removes the failure.",
    "restore": "The stable version ran with this value; the rest of what changed is left alone.",
    BY_PIN: "It comes last, since it takes back everything that came with the version, what is wanted included.",
}


class Tried(BaseModel):
    """A change that was made before and that the verification refuted."""

    model_config = ConfigDict(frozen=True)

    strategy: str
    what: str
    """The change in words."""
    because: str
    undoes: str | None = None
    """The commit whose change it takes back."""
    is_in_vain: bool = False
    """Whether the failure was still there, and not only something else amiss."""


class Beside(BaseModel):
    """The other pull request of the same incident, or why there is none."""

    model_config = ConfigDict(frozen=True)

    url: str | None = None
    """Of the pin, for a fix; of the fix or the analysis, for a pin."""
    reason: str | None = None
    """Why the stable version is not pinned."""


class Merging(BaseModel):
    """What merging sets off, and the command that starts the canary again where it sets off nothing."""

    model_config = ConfigDict(frozen=True)

    effect: Effect
    retry: str


def why_this_way(patch: Patch, tried: Sequence[Tried]) -> list[str]:
    """The strategy in words, and each candidate before it with the reason why it was not taken."""
    return ["## Why this way", f"{REASONS.get(patch.strategy, '')} {ORDER}".strip(), *tried_before(tried)]


def tried_before(tried: Sequence[Tried]) -> list[str]:
    """One line for each change that was refuted."""
    if not tried:
        return []
    rows = [f"- {prose(one.strategy)}: {prose(one.what)} Not taken: {prose(one.because)}." for one in tried]
    more = [f"- and {len(rows) - MOST_TRIED} more"] if len(rows) > MOST_TRIED else []
    return ["\n".join(["Tried before, and refuted by the verification:", "", *rows[:MOST_TRIED], *more])]


def on_merging(merging: Merging | None) -> list[str]:
    """What follows when it is merged and deployed; nothing to say of a change of code, which comes as a new image."""
    if merging is None:
        return []
    match merging.effect:
        case "nothing":
            said = (
                "It changes nothing that Argo Rollouts watches, so no new canary starts by itself. "
                f"Once it is deployed, start the failed one again: {code(merging.retry)}"
            )
        case "stable":
            said = (
                "The pod template is the stable version's again, so no new canary starts: "
                "the rollout turns healthy as soon as it is deployed."
            )
        case "canary":
            said = "The pod template changes, so a new canary starts as soon as it is deployed."
    return ["## When it is merged", said]


def meanwhile(beside: Beside | None) -> list[str]:
    """Of a fix: that Git still names the version that failed, and what is done about it."""
    if beside is None or (beside.url is None and beside.reason is None):
        return []
    if beside.url is not None:
        said = f"{beside.url} sets it back to the stable version. Once the cause is put right, that is not needed."
    else:
        said = f"Setting it back to the stable version is left to you: {prose(beside.reason or '')}."
    return ["## Until then", f"Git still names the version that failed. {said}"]


def what_a_pin_does(beside: Beside | None) -> list[str]:
    """Of a pin: what it does and what it does not, and where the cause is put right."""
    said = [
        "It rolls back: Git names again what the cluster has run since the canary was aborted.",
        "It cures nothing: the fault is still in the version that failed, and comes back with it.",
    ]
    if beside is not None and beside.url is not None:
        said.append(f"The cause is dealt with in {beside.url}. Once it is put right there, this is not needed.")
    else:
        said.append("No change that puts the cause right was found, so that is left to you.")
    return ["## What it does, and what it does not", "\n".join(f"- {one}" for one in said)]
