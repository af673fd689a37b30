"""Probes that fail: by path, port, scheme, time or the program's own answer. The texts are the kubelet's."""

import re
from collections.abc import Iterator
from datetime import timedelta

from agents.evidence.origin import dig, parse_time
from agents.podstates.nouns import CONSEQUENCE, KILLED, State, Wanted
from agents.podstates.scene import Container, Event, Scene, events_of, int_in, parsed, text_in

FAILED = re.compile(
    r"(readiness|liveness|startup) probe (?:failed|errored)\b(?:[^:]{0,80}):\s*(.*)", re.IGNORECASE | re.DOTALL
)
STATUS = re.compile(r"status ?code: ?([1-5]\d\d)", re.IGNORECASE)
TIMES = ("initialDelaySeconds", "timeoutSeconds", "failureThreshold", "periodSeconds")
WAYS = (
    ("scheme", ("server gave http response", "malformed http response", "tls:", "x509:")),
    ("command", ("executable file not found", "no such file or directory", "permission denied")),
    ("time", ("deadline exceeded", "client.timeout", "timed out", "i/o timeout", "timeout:")),
    ("port", ("connection refused", "connection reset", "no route to host", "eof")),
)
"""Phrases of the kubelet and of what it calls, in lower case."""


def analyze(scene: Scene) -> Iterator[State]:
    """One state for each probe of a container that is not healthy, and way of failing."""
    seen: set[tuple[str, str]] = set()
    for event in scene.events:
        match = FAILED.search(event.message) if event.reason.lower() in {"unhealthy", "probeerror"} else None
        container = _container(scene, event, match[1].lower()) if match else None
        if match is None or container is None or not _counts(scene, event, container):
            continue
        state = _failed(scene, container, f"{match[1].lower()}Probe", match[2], event)
        if state.identity[1:] not in seen:
            seen.add(state.identity[1:])
            yield state


def _container(scene: Scene, event: Event, probe: str) -> Container | None:
    """The container that the event is about; where it does not say, the one of the pod that has such a probe."""
    ours = [one for one in scene.containers if one.pod.name == event.name]
    if event.container is not None:
        return next((one for one in ours if one.name == event.container), None)
    return next((one for one in ours if dig(scene.container_spec(one.name), f"{probe}Probe")), None)


def _counts(scene: Scene, event: Event, container: Container) -> bool:
    """Whether it is more than a healthy pod's first seconds or last ones."""
    if container.is_ready and not container.restarts:
        return False
    metadata = dig(container.pod.object, "metadata")
    leaving = parse_time(metadata.get("deletionTimestamp"))
    raw = parsed(scene.bundle, "events")[event.at]
    seen = parse_time(raw.get("lastTimestamp") or raw.get("eventTime"))
    if leaving is None or seen is None:
        return True
    grace = int_in(metadata, "deletionGracePeriodSeconds")
    return seen < leaving - timedelta(seconds=min(max(grace if grace is not None else 30, 0), 86_400))


def _failed(scene: Scene, container: Container, probe: str, said: str, event: Event) -> State:
    spec = dig(scene.container_spec(container.name), probe)
    path = text_in(dig(spec, "httpGet"), "path")
    way = _way(said)
    says = _words(way, said, path)
    wanted = tuple(_fields(way, container.field, f"{container.field}/{probe}"))
    is_consequence = any(
        int_in(ended, "exitCode") not in {0, 137, 143, None} for _, ended in container.terminations
    ) or any(ended.get("reason") == "OOMKilled" for _, ended in container.terminations)
    evidence = [event.citation, *(scene.cite_spec(f"{container.field}/{probe}/httpGet/path", path) if path else ())]
    killed = ""
    if probe != "readinessProbe":
        killings = [one for one in events_of(scene.bundle) if one.reason == "Killing" and one.name == event.name]
        evidence += [one.citation for one in killings if "probe" in one.message.lower()][:1]
        killed = f"; it was restarted {container.restarts} times" if container.restarts else ""
    return State(
        kind="probe",
        category="code",
        sentence=f"the {probe.removesuffix('Probe')} probe of {container.what} fails: {says}{killed}",
        evidence=tuple(evidence),
        weight=CONSEQUENCE if is_consequence else KILLED,
        container=container.name,
        subject=f"{probe} {way}",
        wanted=wanted,
        names=(path,) if path and way == "path" else (),
    )


def _way(said: str) -> str:
    """How it fails, by what the kubelet said."""
    status = STATUS.search(said)
    if status is not None:
        return "path" if status[1].startswith("4") else "status"
    text = said.lower()
    return next((way for way, phrases in WAYS if any(phrase in text for phrase in phrases)), "answer")


def _words(way: str, said: str, path: str) -> str:
    status = STATUS.search(said)
    if status is not None:
        return f"{path or 'its path'} is answered {status[1]}"
    words = {
        "scheme": "it is asked in another protocol than it speaks",
        "command": "its command cannot be executed in the container",
        "time": "it does not answer in time",
        "port": "nothing listens on its port",
    }
    return words.get(way) or said.strip().split("\n")[0][:200] or "the kubelet does not say how"


def _fields(way: str, container: str, probe: str) -> list[Wanted]:
    """The fields that would explain it, likeliest first."""
    ports = [Wanted(field=f"{probe}/{how}/port") for how in ("httpGet", "tcpSocket", "grpc")]
    paths = [Wanted(field=f"{probe}/httpGet/path")]
    times = [Wanted(field=f"{probe}/{name}", sense="lower") for name in TIMES]
    listening = [Wanted(field=f"{container}/{name}/**") for name in ("ports", "env/[name=PORT]")]
    listening.append(Wanted(kind="ConfigMap", field="data/PORT"))
    listening += [Wanted(field=f"{container}/{name}/**", is_weak=True) for name in ("args", "command")]
    scheme = [Wanted(field=f"{probe}/httpGet/scheme")]
    command = [Wanted(field=f"{probe}/exec/command/**")]
    cpu = [Wanted(field=f"{container}/resources/{group}/cpu", sense="lower") for group in ("limits", "requests")]
    rest = [Wanted(field=f"{probe}/{how}/**") for how in ("httpGet", "grpc")]
    return {
        "path": [*paths, *ports, *rest, *listening],
        "status": [*paths, *ports],
        "scheme": [*scheme, *ports, *listening],
        "command": command,
        "time": [*times, *ports, *command, *cpu],
        "port": [*ports, *listening, *times],
        "answer": [*command, *rest, *times],
    }[way]
