"""What a container may not do: run as that user, write there, listen on that port, ask the API for that."""

import re
from collections.abc import Iterator

from agents.podstates.nouns import NEVER_RAN, SAID, State, Wanted
from agents.podstates.said import Said, first_group, lines_saying
from agents.podstates.scene import Scene, text_in

USER = re.compile(
    r"runasnonroot and image|cannot verify user is non-root|run as root|breaks non-root policy", re.IGNORECASE
)
READ_ONLY = (
    "read-only file system",
    "readonly filesystem",
    "erofs",
    "readonlyfilesystemexception",
    "read only file system",
)
DENIED = ("permission denied", "eacces", "accessdeniedexception", "operation not permitted", "eperm")
FORBIDDEN = ("is forbidden: user",)
ACCOUNT = re.compile(r"system:serviceaccount:([\w.-]{1,253}):([\w.-]{1,253})")
RESOURCE = re.compile(r"cannot (\w{1,20}) resource \\?\"([\w./-]{1,100})\\?\"")
PATH = re.compile(r"['\"`]?(/[\w.@+-]{1,200}(?:/[\w.@+-]{1,200}){0,20})")
BIND = re.compile(r"bind|listen", re.IGNORECASE)
DATABASE = re.compile(r"permission denied for (?:table|relation|schema|database|sequence)|docker\.sock", re.IGNORECASE)


def analyze(scene: Scene) -> Iterator[State]:
    """States of containers that were not created, then what the logs say."""
    for container in scene.containers:
        message = text_in(container.waiting, "message")
        if USER.search(message):
            field = container.field
            names = ("runAsNonRoot", "runAsUser", "runAsGroup")
            yield State(
                kind="permission",
                category="code",
                sentence=f"{container.what} is not started: it must not run as root, and its image would",
                evidence=(container.cite(f"{container.pointer}/state/waiting/message", message),),
                weight=NEVER_RAN,
                container=container.name,
                subject="user",
                wanted=tuple(
                    Wanted(field=f"{place}securityContext/{name}") for name in names for place in (f"{field}/", "")
                ),
            )
    seen: set[tuple[str, str, str]] = set()
    for said in lines_saying(scene, (*READ_ONLY, *FORBIDDEN, *DENIED)):
        state = _forbidden(scene, said) if said.phrase in FORBIDDEN else _file(scene, said)
        if state is not None and state.identity not in seen:
            seen.add(state.identity)
            yield state


def _forbidden(scene: Scene, said: Said) -> State:
    account, resource = ACCOUNT.search(said.text), RESOURCE.search(said.text)
    what = f"{resource[1]} {resource[2]}" if resource else "what it asks for"
    who = account[2] if account else "its service account"
    roles = ("Role", "ClusterRole")
    named = resource.groups() if resource else ()
    rules = [
        Wanted(kind=kind, field=f"rules/*/{part}/{one.replace('/', '~1')}", sense="gone")
        for one, part in zip(reversed(named), ("resources", "verbs"), strict=False)
        for kind in roles
    ]
    rules += [Wanted(kind=kind, field="rules/*/apiGroups/**") for kind in roles]
    rules += [Wanted(kind=kind, field="**", is_weak=True) for kind in ("RoleBinding", "ClusterRoleBinding")]
    rules += [Wanted(kind=kind, field="rules/**", sense="gone", is_weak=True) for kind in roles]
    return State(
        kind="permission",
        category="config",
        sentence=f"container {said.container} may not {what}: the service account {who} lacks the right",
        evidence=(said.cite(scene.bundle),),
        weight=SAID,
        container=said.container,
        subject=f"rbac {what}",
        wanted=(Wanted(field="serviceAccountName"), Wanted(field="serviceAccount"), *rules),
    )


def _file(scene: Scene, said: Said) -> State | None:
    """A file that cannot be written or read, or a port that cannot be listened on."""
    if DATABASE.search(said.text) or USER.search(said.text):
        return None
    path = first_group(PATH, said.text)
    here = next(
        (one.field for one in scene.containers if one.name == said.container), f"containers/[name={said.container}]"
    )
    context = (f"{here}/securityContext", "securityContext")
    users = [f"{one}/{name}" for one in context for name in ("runAsUser", "runAsGroup", "fsGroup", "runAsNonRoot")]
    if said.phrase in READ_ONLY:
        fields = [f"{here}/securityContext/readOnlyRootFilesystem", f"{here}/volumeMounts/*/readOnly"]
        wanted = [Wanted(field=field) for field in fields]
        wanted += [Wanted(field=field, is_weak=True) for field in (f"{here}/volumeMounts/**", "volumes/**")]
        way, says = "read-only", f"{path or 'a path'} is on a read-only file system"
    elif BIND.search(said.text):
        fields = [*users, *(f"{one}/capabilities/**" for one in context), "securityContext/sysctls/**"]
        fields += [f"{here}/args/**", f"{here}/env/[name=PORT]/value", f"{here}/ports/**"]
        wanted = [*(Wanted(field=field) for field in fields), Wanted(kind="ConfigMap", field="data/PORT")]
        way, says = "port", "it may not listen on its port"
    else:
        fields = [*users, f"{here}/securityContext/**", "securityContext/**", "volumes/*/*/defaultMode"]
        wanted = [*(Wanted(field=field) for field in fields), Wanted(field=f"{here}/volumeMounts/**", is_weak=True)]
        way, says = "file", f"it may not use {path or 'what it needs'}"
    return State(
        kind="permission",
        category="code",
        sentence=f"container {said.container} says: {says}",
        evidence=(said.cite(scene.bundle),),
        weight=SAID,
        container=said.container,
        subject=f"{way} {path}",
        wanted=tuple(wanted),
        names=(path,) if path else (),
    )
