"""Pods that admission refuses: Pod Security, webhooks, missing service accounts and classes, invalid specs."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from agents.podstates.nouns import NEVER_RAN, State, StateCategory, Wanted
from agents.podstates.quota import EXCEEDED, MUST_SAY, RANGE
from agents.podstates.refusals import Refusal, refusals
from agents.podstates.scene import Scene

POD_SECURITY = re.compile(r"violates podsecurity \"([\w:.-]{1,80})\": (.{1,1500})", re.IGNORECASE | re.DOTALL)
WEBHOOK = re.compile(
    r"admission webhook \"([\w.-]{1,253})\" denied the request:? ?(.{0,1500})", re.IGNORECASE | re.DOTALL
)
WEBHOOK_DOWN = re.compile(r"failed calling webhook \"([\w.-]{1,253})\": (.{0,400})", re.IGNORECASE | re.DOTALL)
POLICY = re.compile(r"validatingadmissionpolicy '([\w.-]{1,253})'", re.IGNORECASE)
SERVICE_ACCOUNT = re.compile(r"serviceaccount \"([\w.-]{1,253})\" not found", re.IGNORECASE)
PRIORITY = re.compile(r"no priorityclass with name ([\w.-]{1,253})", re.IGNORECASE)
INVALID = re.compile(r"\bis invalid: (.{1,800})", re.IGNORECASE | re.DOTALL)
INVALID_FIELD = re.compile(r"spec\.([A-Za-z][\w.\[\]]{0,200})")
FIELDS = re.compile(
    r"\b(?:spec|containers?|securitycontext|metadata)[\w.\[\]\"']{0,200}\.([A-Za-z]{3,60})\b", re.IGNORECASE
)
SECURITY = (
    ("allowprivilegeescalation", ("containers/*/securityContext/allowPrivilegeEscalation",)),
    ("capabilities", ("containers/*/securityContext/capabilities/**",)),
    ("runasnonroot", ("containers/*/securityContext/runAsNonRoot", "securityContext/runAsNonRoot")),
    ("runasuser", ("containers/*/securityContext/runAsUser", "securityContext/runAsUser")),
    ("seccompprofile", ("containers/*/securityContext/seccompProfile/**", "securityContext/seccompProfile/**")),
    ("privileged", ("containers/*/securityContext/privileged",)),
    ("host namespaces", ("hostNetwork", "hostPID", "hostIPC")),
    ("hostport", ("containers/*/ports/**",)),
    ("hostpath", ("volumes/**",)),
    ("restricted volume", ("volumes/**",)),
    ("readonlyrootfilesystem", ("containers/*/securityContext/readOnlyRootFilesystem",)),
    ("resources", ("containers/*/resources/**",)),
    ("limits", ("containers/*/resources/**",)),
    ("image", ("containers/*/image",)),
    ("probe", ("containers/*/livenessProbe/**", "containers/*/readinessProbe/**")),
)
"""What a policy's words are about, in lower case, and the fields that they mean."""


class Denial(NamedTuple):
    """Who refuses, what it says, and what would explain it."""

    subject: str
    says: str
    wanted: tuple[Wanted, ...]
    category: StateCategory = "config"


def analyze(scene: Scene) -> Iterator[State]:
    """One state for each thing that refuses."""
    seen: set[str] = set()
    for refusal in refusals(scene):
        if any(pattern.search(refusal.message) for pattern in (EXCEEDED, MUST_SAY, RANGE)):
            continue
        denial = _denial(refusal)
        if denial is not None and denial.subject not in seen:
            seen.add(denial.subject)
            yield State(
                kind="admission",
                category=denial.category,
                sentence=f"the pod is not created: {denial.says}",
                evidence=(refusal.citation,),
                weight=NEVER_RAN,
                subject=denial.subject,
                wanted=denial.wanted,
            )


def _denial(refusal: Refusal) -> Denial | None:
    for pattern, read in READERS:
        found = pattern.search(refusal.message)
        if found is not None:
            return read(found)
    return None


def _level(found: re.Match[str]) -> Denial:
    return Denial("pod security", f"it violates the Pod Security level {found[1]}", _about(found[2]))


def _denied(found: re.Match[str]) -> Denial:
    return Denial(found[1], f"the admission webhook {found[1]} denies it", _about(found[2]))


def _silent(found: re.Match[str]) -> Denial:
    return Denial(found[1], f"the admission webhook {found[1]} does not answer", (), "infrastructure")


def _policy(found: re.Match[str]) -> Denial:
    return Denial(found[1], f"the admission policy {found[1]} denies it", _about(found.string))


def _account(found: re.Match[str]) -> Denial:
    gone = Wanted(kind="ServiceAccount", name=found[1], field="metadata/name", sense="gone")
    wanted = (gone, Wanted(field="serviceAccountName"))
    return Denial("service account", f"its service account {found[1]} is not there", wanted)


def _priority(found: re.Match[str]) -> Denial:
    return Denial("priority", f"its priority class {found[1]} is not there", (Wanted(field="priorityClassName"),))


def _forbidden(found: re.Match[str]) -> Denial:
    return Denial("forbidden", "it is forbidden", _about(found.string))


def _about(words: str) -> tuple[Wanted, ...]:
    """The fields that a policy's words name, those that they spell out first."""
    text = words.lower()
    fields = [field for word, some in SECURITY if word in text for field in some]
    spelled = [f"containers/*/securityContext/{name}" for name in FIELDS.findall(words)]
    init = [field.replace("containers/*", "initContainers/*", 1) for field in fields if field.startswith("containers")]
    return tuple(Wanted(field=field) for field in dict.fromkeys([*fields, *spelled, *init]))


def _invalid(found: re.Match[str]) -> Denial:
    """The fields that the API server names, as `spec.containers[0].volumeMounts[1].name`."""
    words = found[1]
    paths = [re.sub(r"\[[^\]]*\]", "/*", name).replace(".", "/") for name in INVALID_FIELD.findall(words)]
    wanted = tuple(Wanted(field=field) for path in dict.fromkeys(paths) for field in (path, f"{path}/**"))
    return Denial("invalid", "its spec is invalid", wanted)


READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Denial]], ...] = (
    (POD_SECURITY, _level),
    (WEBHOOK, _denied),
    (WEBHOOK_DOWN, _silent),
    (POLICY, _policy),
    (SERVICE_ACCOUNT, _account),
    (PRIORITY, _priority),
    (INVALID, _invalid),
    (re.compile("forbidden", re.IGNORECASE), _forbidden),
)
