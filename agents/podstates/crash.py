"""Containers that ended, or could not be started at all: exit codes, signals, and what the runtime says.

Exit codes above 128 are 128 plus a signal; 126 and 127 are a shell's or the runtime's words for a command that may not
or cannot be run; runc itself ends with 128 where it could not start the process.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from agents.evidence import Citation
from agents.evidence.origin import dig
from agents.podstates.nouns import CONSEQUENCE, ENDED, NEVER_RAN, State, Wanted
from agents.podstates.said import first_group
from agents.podstates.scene import Container, Scene, int_in, text_in

SIGNALS = {
    4: "SIGILL, an instruction that the processor does not know",
    6: "SIGABRT, it aborted itself",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL, from outside; its memory limit is not what its status names",
    11: "SIGSEGV, it touched memory that is not its own",
    13: "SIGPIPE",
    15: "SIGTERM, it was asked to end",
}
FAILED_TO_START = frozenset({"runcontainererror", "createcontainererror", "starterror", "containercannotrun"})
RUNTIME = re.compile(r"executable file|exec format error|no such file or directory|permission denied|not a directory")
NOT_STARTED = re.compile(r"oci runtime|create failed|failed to (?:create|start)|starterror|unable to start container")
EXECUTED = re.compile(r"exec:?\s+\\?[\"`]?([^\"`\\\s:]{1,200})|executable file [`\"]?([^`\"\s]{1,200})[`\"]? not found")
LAST_LINES = 12
MOST_STATES = 20


def analyze(scene: Scene) -> Iterator[State]:
    """One state for each way in which a container ended."""
    for container in scene.containers[: MOST_STATES * 10]:
        not_started = _not_started(scene, container)
        if not_started is not None:
            yield not_started
            continue
        for pointer, ended in container.terminations:
            state = _ended(scene, container, pointer, ended)
            if state is not None:
                yield state
                break


def _not_started(scene: Scene, container: Container) -> State | None:
    """A container that the runtime could not start, from its status, else from an event about it."""
    waiting = container.waiting
    told: list[tuple[str, Citation]] = []
    if text_in(waiting, "reason").lower() in FAILED_TO_START and text_in(waiting, "message"):
        pointer = f"{container.pointer}/state/waiting/message"
        told.append((text_in(waiting, "message"), container.cite(pointer, text_in(waiting, "message"))))
    for pointer, ended in container.terminations:
        if text_in(ended, "reason").lower() in FAILED_TO_START and text_in(ended, "message"):
            message = text_in(ended, "message")
            told.append((message, container.cite(f"{pointer}/message", message)))
    if not told and not container.is_ready:
        told += [
            (event.message, event.citation)
            for event in scene.events
            if event.name == container.pod.name
            and event.container in {container.name, None}
            and event.reason == "Failed"
            and NOT_STARTED.search(event.message.lower())
        ]
    if not told:
        return None
    message, citation = told[0]
    return _explained(container, message, citation)


def _explained(container: Container, message: str, citation: Citation) -> State:
    text = message.lower()
    command = first_group(EXECUTED, message)
    field = container.field
    wanted = [
        Wanted(field=f"{field}/command/**", value=command or None),
        Wanted(field=f"{field}/args/**", value=command or None, is_weak=not command),
        Wanted(field=f"{field}/command/**", sense="gone"),
        Wanted(field=f"{field}/workingDir", is_weak=True),
    ]
    why = "could not be started"
    if "are you trying to mount a directory onto a file" in text or "error mounting" in text:
        why = "could not be started: one of its mounts does not fit"
        wanted = [Wanted(field=f"{field}/volumeMounts/**"), Wanted(field="volumes/**")]
    elif "chdir" in text or "cwd" in text:
        why = "could not be started: its working directory is not in the image"
        wanted = [Wanted(field=f"{field}/workingDir"), Wanted(field=f"{field}/volumeMounts/**")]
    elif "exec format error" in text:
        why = f"could not be started: {command or 'its program'} is not made for the node's processor"
        wanted = [Wanted(field="nodeSelector/**"), Wanted(field="affinity/**")]
    elif "permission denied" in text:
        why = f"could not be started: {command or 'its program'} may not be executed"
        wanted += [Wanted(field=f"{field}/securityContext/**"), Wanted(field="securityContext/**")]
    elif "not found" in text or "no such file" in text:
        why = f"could not be started: {command or 'its program'} is not in the image"
        wanted += [Wanted(field=f"{field}/volumeMounts/**", is_weak=True)]
    is_ours = bool(RUNTIME.search(text)) or "no command specified" in text or bool(command)
    return State(
        kind="cannot-start",
        category="code" if is_ours else "infrastructure",
        sentence=f"{container.what} {why}",
        evidence=(citation,),
        weight=NEVER_RAN,
        container=container.name,
        subject=command or "start",
        wanted=tuple(wanted) if is_ours else (),
        names=(command,) if command else (),
    )


def _ended(scene: Scene, container: Container, pointer: str, ended: Mapping[str, Any]) -> State | None:
    """How a container ended; nothing for one that did what it was there for, or was asked to end with its pod."""
    code = int_in(ended, "exitCode")
    reason = text_in(ended, "reason")
    is_leaving = bool(dig(container.pod.object, "metadata").get("deletionTimestamp"))
    if code is None or reason.lower() == "oomkilled" or (code == 0 and (container.is_init or not container.restarts)):
        return None
    if is_leaving and pointer.endswith("/state/terminated") and (code in {0, 137, 143} or not container.restarts):
        return None
    field = container.field
    wanted = [Wanted(field=f"{field}/{name}/**", is_weak=code != 127) for name in ("command", "args")]
    says = _code(code)
    evidence = [container.cite(f"{pointer}/exitCode", code)]
    if reason and reason != "Error":
        evidence.append(container.cite(f"{pointer}/reason", reason))
    if text_in(ended, "message").strip():
        evidence.append(container.cite(f"{pointer}/message", text_in(ended, "message")))
    last = scene.last_lines(container, LAST_LINES)
    evidence += [last] if last is not None else []
    if last is not None and "exec format error" in last.quote.lower():
        wanted = [Wanted(field="nodeSelector/**"), Wanted(field="affinity/**")]
        says += ": its program is not made for the node's processor"
    elif code == 137:
        wanted = [Wanted(field=f"{field}/resources/limits/memory", sense="lower")]
    again = f" and was started again {container.restarts} times" if container.restarts else ""
    return State(
        kind="crash",
        category="code",
        sentence=f"{container.what} ended with {says}{again}",
        evidence=tuple(evidence),
        weight=CONSEQUENCE if code in {137, 143} else ENDED,
        container=container.name,
        subject=f"exit {code}",
        wanted=tuple(wanted),
    )


def _code(code: int) -> str:
    if code == 0:
        return "exit code 0: its command came to its end, which a service's must not"
    if code == 126:
        return "exit code 126: its command is there, but may not be executed"
    if code == 127:
        return "exit code 127: its command, or one that it calls, was not found"
    signal = SIGNALS.get(code - 128) if code > 128 else None
    return f"exit code {code} ({signal})" if signal else f"exit code {code}"
