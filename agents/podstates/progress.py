"""Rollouts that ran out of time, and containers that were still not ready then."""

from collections.abc import Iterator

from agents.evidence import Citation
from agents.evidence.origin import dig, parse_time
from agents.podstates.nouns import CONSEQUENCE, State, Wanted
from agents.podstates.scene import Scene, text_in, things


def analyze(scene: Scene) -> Iterator[State]:
    """The deadline, then the containers that run and are not ready. Both follow from something, or from slowness."""
    if scene.side != "canary":
        return
    passed = None
    for rollout in things(scene.bundle, "rollout"):
        conditions = dig(rollout.object, "status").get("conditions")
        for at, condition in enumerate(conditions if isinstance(conditions, list) else []):
            if not isinstance(condition, dict) or condition.get("reason") != "ProgressDeadlineExceeded":
                continue
            message = text_in(condition, "message")
            passed = parse_time(condition.get("lastTransitionTime")) or parse_time(condition.get("lastUpdateTime"))
            place = "message" if message else "reason"
            yield State(
                kind="deadline",
                category="code",
                sentence="the canary made no progress within its deadline",
                evidence=(
                    Citation(
                        ref=f"{rollout.item}#/status/conditions/{at}/{place}",
                        quote=message or "ProgressDeadlineExceeded",
                    ),
                ),
                weight=CONSEQUENCE,
                subject="deadline",
                wanted=(
                    Wanted(kind="Rollout", field="spec/progressDeadlineSeconds", sense="lower"),
                    Wanted(kind="Rollout", field="spec/minReadySeconds", sense="higher"),
                ),
            )
    for container in scene.containers:
        running = dig(container.status, "state", "running")
        started = parse_time(running.get("startedAt"))
        if not running or container.is_ready or container.is_init or container.restarts or passed is None:
            continue
        after = (
            f" {(passed - started).total_seconds():.0f} s after it had started" if started and started < passed else ""
        )
        yield State(
            kind="slow-start",
            category="code",
            sentence=f"{container.what} runs, but was not ready{after}",
            evidence=(container.cite(f"{container.pointer}/ready", "false"),),
            weight=CONSEQUENCE,
            container=container.name,
            subject="ready",
            wanted=(
                Wanted(field=f"{container.field}/readinessProbe/**", is_weak=True),
                Wanted(field=f"{container.field}/startupProbe/**", is_weak=True),
                Wanted(field=f"{container.field}/resources/limits/cpu", sense="lower", is_weak=True),
                Wanted(field=f"{container.field}/resources/requests/cpu", sense="lower", is_weak=True),
            ),
        )
