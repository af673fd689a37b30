"""Pods that a ResourceQuota or a LimitRange refuses; the texts are those of the API server's admission plugins."""

import re
from collections.abc import Iterator

from agents.podstates.nouns import NEVER_RAN, State, Wanted
from agents.podstates.refusals import Refusal, refusals
from agents.podstates.scene import Scene

EXCEEDED = re.compile(r"exceeded quota: ([\w.-]{1,253}), requested: ([^,]{1,400}(?:,[\w./-]+=[\w.]+)*)", re.IGNORECASE)
MUST_SAY = re.compile(r"failed quota: ([\w.-]{1,253}): must specify ([\w./,-]{1,400})", re.IGNORECASE)
RANGE = re.compile(
    r"(maximum|minimum) ([\w./-]{1,100}) usage per (container|pod) is ([\w.]{1,40}),? but (request|limit) is"
    r" ([\w.]{1,40})"
    r"|\b([\w./-]{1,100}) max limit to request ratio per (?:container|pod) is",
    re.IGNORECASE,
)
NAMED = re.compile(r"(?:(requests|limits)\.)?([a-z][\w./-]{0,100})=")
PLACES = ("containers/*", "initContainers/*")


def analyze(scene: Scene) -> Iterator[State]:
    """One state for each quota or range."""
    seen: set[str] = set()
    for refusal in refusals(scene):
        state = _quota(refusal) or _range(refusal)
        if state is not None and state.subject not in seen:
            seen.add(state.subject)
            yield state


def _quota(refusal: Refusal) -> State | None:
    exceeded = EXCEEDED.search(refusal.message)
    unsaid = MUST_SAY.search(refusal.message)
    if exceeded is not None:
        wanted = [one for group, name in NAMED.findall(exceeded[2]) for one in _fields(group, name, "higher")]
        says = f"the quota {exceeded[1]} does not allow it ({exceeded[2].strip()[:200]} asked for)"
    elif unsaid is not None:
        names = [name.rpartition(".") for name in re.split("[,;]", unsaid[2]) if name]
        wanted = [one for group, _, name in names for one in _fields(group, name, "any")]
        says = f"the quota {unsaid[1]} wants {unsaid[2]} to be said"
    else:
        return None
    name = (exceeded or unsaid or [""])[1] if exceeded or unsaid else ""
    return _state(refusal, says, f"quota {name}", wanted)


def _range(refusal: Refusal) -> State | None:
    match = RANGE.search(refusal.message)
    if match is None:
        return None
    if match[7]:
        wanted = [*_fields("limits", match[7], "any"), *_fields("requests", match[7], "any")]
        return _state(
            refusal, f"the namespace's LimitRange bounds the ratio of {match[7]}", f"range {match[7]}", wanted
        )
    bound, resource, place, allowed, group, asked = match.groups()[:6]
    says = f"the namespace's LimitRange has a {bound} of {allowed} {resource} per {place}, and the {group} is {asked}"
    sense = "higher" if bound.lower() == "maximum" else "lower"
    wanted = [*_fields(f"{group}s", resource, sense), *_fields("", resource, sense)]
    return _state(refusal, says, f"range {resource}", wanted)


def _fields(group: str, name: str, sense: str) -> list[Wanted]:
    """The fields of the pod template that a resource of a quota adds up."""
    groups = [group] if group else ["requests", "limits"]
    resource = name.replace("/", "~1")
    return [
        Wanted.model_validate({"field": f"{place}/resources/{one}/{resource}", "sense": sense})
        for one in dict.fromkeys([*groups, "limits"])
        for place in PLACES
    ]


def _state(refusal: Refusal, says: str, subject: str, wanted: list[Wanted]) -> State:
    return State(
        kind="quota",
        category="infrastructure",
        sentence=f"the pod is not created: {says}",
        evidence=(refusal.citation,),
        weight=NEVER_RAN,
        subject=subject,
        wanted=tuple(dict.fromkeys(wanted)),
    )
