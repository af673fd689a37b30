"""What is wrong with the canary's pods, as objects, events and logs tell it: one analyzer a module, one registry."""

from agents.podstates.dependencies import peer_of
from agents.podstates.explaining import explanations, is_of_rollout
from agents.podstates.finding import Found, states_of
from agents.podstates.nouns import CONSEQUENCE, ENDED, KILLED, NEVER_RAN, SAID, State, Wanted
from agents.podstates.scene import Scene

__all__ = [
    "CONSEQUENCE",
    "ENDED",
    "KILLED",
    "NEVER_RAN",
    "SAID",
    "Found",
    "Scene",
    "State",
    "Wanted",
    "explanations",
    "is_of_rollout",
    "peer_of",
    "states_of",
]
