"""One side of the comparison: the program is started in its place, asked, watched, and judged by what it shows."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from agents.frames import Signature, find_traces
from agents.verification.environment import Environment
from agents.verification.nouns import Check, Result, tail
from agents.verification.ports import Request, Response, Served
from agents.verification.reproduction import Reproduction
from agents.verification.site import Site
from agents.verification.suite import Tests, not_run, run_suite

LISTEN_SECONDS = 5.0
"""How long a program must keep listening to count as started (DESIGN section 6)."""


class Trial(BaseModel):
    """What is compared: files written over the program's, and its environment."""

    model_config = ConfigDict(frozen=True)

    files: Mapping[str, str | None] = {}
    environment: Environment


class Side(BaseModel):
    """One side as it came out."""

    model_config = ConfigDict(frozen=True)

    check: Check
    tests: Tests
    guilty: tuple[Request, ...] = ()
    """The requests whose answers were wrong."""
    could_run: bool = True
    """False where it was the sandbox that failed, which says nothing about the code."""
    unchecked: tuple[str, ...] = ()
    """What the place lacked."""

    @classmethod
    def skipped(cls, reason: str, *, could_run: bool = True, unchecked: tuple[str, ...] = ()) -> "Side":
        return cls(
            check=Check(result="not_run", reason=reason),
            tests=not_run(reason),
            could_run=could_run,
            unchecked=unchecked,
        )


async def observe(
    site: Site,
    commit: str,
    reproduction: Reproduction,
    trial: Trial,
    repeats: int,
    requests: tuple[Request, ...] = (),
) -> Side:
    """Lay the side out, reproduce on it, run its tests, and clear it away."""
    async with site.ground(commit, trial.files) as ground:
        if ground.problem is not None:
            return Side.skipped(ground.problem, could_run=ground.could_run, unchecked=ground.unchecked)
        asked = (requests or reproduction.requests) * repeats
        served = await site.sandbox.serve(
            ground.tree,
            site.commands.run,
            {**trial.environment.variables, **ground.environment},
            files=trial.environment.files,
            requests=asked,
            listen_seconds=LISTEN_SECONDS if reproduction.kind == "start" else 0,
        )
        tests = await run_suite(ground.tree, site.commands, site.sandbox, ground.environment)
    side = _judge(reproduction, " ".join(site.commands.run), served, asked, tests)
    return side.model_copy(update={"unchecked": ground.unchecked})


def shows(signature: Signature, output: str) -> bool:
    """Whether a program's output holds the same failure: exception type, and file and function of the frame."""
    for trace in find_traces("output", output):
        if trace.exception != signature.exception:
            continue
        if signature.file is None or any(
            f"/{frame.path}".endswith(f"/{signature.file}") and frame.function == signature.function
            for frame in trace.frames
        ):
            return True
    return False


def _judge(reproduction: Reproduction, command: str, served: Served, asked: tuple[Request, ...], tests: Tests) -> Side:
    if asked:
        command += "  <-  " + ", ".join(dict.fromkeys(f"{r.method} {r.path}" for r in asked))
    if served.status != "ok":
        check = Check(result="not_run", command=command, reason=served.reason or served.status)
        return Side(check=check, tests=tests, could_run=served.status != "failed")
    seen = reproduction.signature is not None and shows(reproduction.signature, served.output)
    wrong = tuple(
        request
        for request, answer in zip(asked, served.responses, strict=False)
        if answer.status is None or answer.status >= 500
    )
    if reproduction.kind == "start":
        result, reason = _judge_start(served, seen=seen)
    else:
        result, reason = _judge_replay(served, seen=seen, wrong=bool(wrong))
    check = Check(result=result, command=command, output=tail(served.output), reason=reason)
    return Side(check=check, tests=tests, guilty=tuple(dict.fromkeys(wrong)))


def _judge_start(served: Served, *, seen: bool) -> tuple[Result, str | None]:
    """Red: it dies before it listens, with the same signature. Green: it listens and goes on."""
    if served.listened and served.exit_code is None:
        return "passed", f"it listened for {LISTEN_SECONDS:.0f} s"
    if seen:
        return "failed", f"it died with exit code {served.exit_code} and the same exception"
    return "not_run", f"it did not start, for another reason than the canary (exit code {served.exit_code})"


def _judge_replay(served: Served, *, seen: bool, wrong: bool) -> tuple[Result, str | None]:
    if seen:
        return "failed", f"the same exception again; answers: {_statuses(served.responses)}"
    if not served.listened:
        return "not_run", f"the program did not start here (exit code {served.exit_code})"
    if wrong:
        return (
            "not_run",
            f"the request fails, but not as in the canary; answers: {_statuses(served.responses)}",
        )
    return "passed", f"answers: {_statuses(served.responses)}"


def _statuses(responses: tuple[Response, ...]) -> str:
    return ", ".join(str(answer.status or "no answer") for answer in responses) or "none"
