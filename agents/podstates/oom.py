"""Containers that the kernel killed for their memory (`OOMKilled`), with the limit that they ran into."""

from collections.abc import Iterator

from agents.evidence.origin import dig
from agents.podstates.nouns import KILLED, State, Wanted
from agents.podstates.scene import Container, Scene, text_in

HEAP = ("JAVA_TOOL_OPTIONS", "JAVA_OPTS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "NODE_OPTIONS", "GOMEMLIMIT", "GOGC")
"""Variables that say how much memory a runtime takes."""


def analyze(scene: Scene) -> Iterator[State]:
    """One state for each container that was killed."""
    for container in scene.containers:
        for pointer, ended in container.terminations:
            if text_in(ended, "reason").lower() == "oomkilled":
                yield _killed(scene, container, pointer, text_in(ended, "reason"))
                break


def _killed(scene: Scene, container: Container, pointer: str, reason: str) -> State:
    limit = dig(scene.container_spec(container.name), "resources", "limits").get("memory")
    evidence = [container.cite(f"{pointer}/reason", reason)]
    field = container.field
    if isinstance(limit, str) and limit:
        evidence += scene.cite_spec(f"{field}/resources/limits/memory", limit)
        at = f" at its limit of {limit}"
    else:
        at = "; its pod template sets no memory limit, so it is one of the node or of the namespace"
    times = f", {container.restarts} times" if container.restarts > 1 else ""
    variables = [Wanted(field=f"{field}/env/[name={name}]/value") for name in HEAP]
    settings = [Wanted(kind="ConfigMap", field=f"data/{name}") for name in HEAP]
    return State(
        kind="oom",
        category="code",
        sentence=f"{container.what} was killed for its memory{at}{times}",
        evidence=tuple(evidence),
        weight=KILLED,
        container=container.name,
        subject="memory",
        wanted=(Wanted(field=f"{field}/resources/limits/memory", sense="lower"), *variables, *settings),
    )
