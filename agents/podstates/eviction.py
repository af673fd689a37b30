"""Pods that the kubelet or the scheduler drove out: for what they took, or for what the node lacks."""

import re
from collections.abc import Iterator

from agents.evidence import Citation
from agents.evidence.origin import dig
from agents.podstates.nouns import KILLED, State, Wanted
from agents.podstates.scene import Scene, text_in

DRIVEN_OUT = frozenset({"evicted", "preempting", "nodelost", "nodeshutdown", "terminated", "unexpectedadmissionerror"})
OWN_STORAGE = re.compile(r"ephemeral[- ](?:local )?storage|emptydir volume|local ephemeral", re.IGNORECASE)
LOW_ON = re.compile(r"low on resource: ([\w.-]{1,60})", re.IGNORECASE)


def analyze(scene: Scene) -> Iterator[State]:
    """One state for each reason."""
    seen: set[str] = set()
    for pod in scene.pods:
        status = dig(pod.object, "status")
        reason, message = text_in(status, "reason"), text_in(status, "message")
        if reason.lower() not in DRIVEN_OUT or reason in seen:
            continue
        seen.add(reason)
        field = "message" if message else "reason"
        citation = Citation(ref=f"{pod.item}#/status/{field}", quote=message or reason)
        own = bool(OWN_STORAGE.search(message)) and not LOW_ON.search(message)
        low = LOW_ON.search(message)
        says = f"the node was low on {low[1]}" if low else message.strip()[:200] or reason
        wanted = [
            Wanted(field=f"containers/*/resources/{group}/ephemeral-storage", sense="lower")
            for group in ("limits", "requests")
        ]
        wanted += [Wanted(field="volumes/*/emptyDir/sizeLimit", sense="lower")]
        yield State(
            kind="evicted",
            category="code" if own else "infrastructure",
            sentence=f"the pod was driven out ({reason}): {says}",
            evidence=(citation,),
            weight=KILLED,
            subject=reason,
            wanted=tuple(wanted) if own else (),
        )
