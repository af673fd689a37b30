"""The registry of analyzers, and what they find that only the canary has."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from agents.evidence import Bundle, holds
from agents.podstates import (
    admission,
    crash,
    dependencies,
    eviction,
    images,
    metrics,
    oom,
    permission,
    probes,
    progress,
    quota,
    references,
    scheduling,
    volumes,
)
from agents.podstates.nouns import State
from agents.podstates.scene import Scene

Analyzer = Callable[[Scene], Iterable[State]]
ANALYZERS: tuple[Analyzer, ...] = (
    admission.analyze,
    quota.analyze,
    scheduling.analyze,
    volumes.analyze,
    references.analyze,
    images.analyze,
    permission.analyze,
    crash.analyze,
    oom.analyze,
    probes.analyze,
    eviction.analyze,
    dependencies.analyze,
    progress.analyze,
    metrics.analyze,
)
MOST_STATES = 40


class Found(NamedTuple):
    """The states of the canary, heaviest first: those that only it has, and those that the stable version shares."""

    own: tuple[State, ...]
    shared: tuple[State, ...]


def states_of(bundle: Bundle) -> Found:
    """Look at both versions in the same way, and tell apart what they share."""
    known = {state.identity for state in _states(Scene(bundle, "stable"))}
    if bundle.target.canary_hash == bundle.target.stable_hash:
        known = set()
    canary = _states(Scene(bundle, "canary"))
    own = [state for state in canary if state.identity not in known]
    shared = [state for state in canary if state.identity in known]
    return Found(tuple(own[:MOST_STATES]), tuple(shared[:MOST_STATES]))


def _states(scene: Scene) -> list[State]:
    """Each state once, with the evidence of it that holds; several pods with the same trouble are one."""
    states: dict[tuple[str, str, str], State] = {}
    for analyzer in ANALYZERS:
        for state in analyzer(scene):
            evidence = tuple(one for one in state.evidence if holds(scene.bundle, one))
            if evidence:
                states.setdefault(state.identity, state.model_copy(update={"evidence": evidence}))
    return sorted(states.values(), key=lambda state: -state.weight)
