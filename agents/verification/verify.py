"""Run a reproduction before and after a patch, and the repository's own tests beside it.

The tests are a guard, never the red. Nothing here decides what happens to the patch: `policy` does, on the verdict
and on the list of what was not checked.
"""

import asyncio
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from agents.errors import Denied
from agents.frames import Signature, find_traces
from agents.patch import Patch
from agents.verification.environment import Environment
from agents.verification.latency import measure
from agents.verification.nouns import Check, Program, Result, Verdict, Verification, tail
from agents.verification.ports import Request, Response, Sandbox, Served, Workspace
from agents.verification.rendering import given_back, is_of_manifests
from agents.verification.reproduction import Commands, Reproduction
from agents.verification.suite import ending, run_suite
from agents.verification.syntax import syntax_error

GREEN_REPEATS = 3
LISTEN_SECONDS = 5.0
"""How long a program must keep listening to count as started (DESIGN section 6)."""


class Trial(BaseModel):
    """The two sides that are compared: files written over the program's, and its environment."""

    model_config = ConfigDict(frozen=True)

    files: Mapping[str, str | None] = {}
    environment: Environment


async def verify(
    patch: Patch,
    reproduction: Reproduction,
    program: Program | None,
    patched_environment: Environment | None,
    commands: Commands,
    *,
    sandbox: Sandbox,
    workspace: Workspace,
) -> Verification:
    """Red before, green after.

    `patched_environment` is what the patched manifests give the program, None for a patch of another repository. One
    repository may hold both, program and manifests.
    """
    broken = await asyncio.to_thread(syntax_error, patch)
    if broken:
        return _without_run(reproduction, "refuted", broken)
    if program is None or reproduction.kind in {"render", "none"}:
        reason = reproduction.reason or "the source of the running program is not known"
        return _rendered(patch, reproduction, reason)
    files = {change.path: change.after for change in patch.changes} if patch.repository == program.url else {}
    environment = patched_environment or reproduction.environment
    if not files and _gives_the_same(environment, reproduction.environment):
        return _rendered(patch, reproduction, "what the patch changes in the manifests is not read when they are tried")
    if reproduction.kind == "latency":
        return await measure(files, reproduction, program, commands, sandbox=sandbox, workspace=workspace)
    run = _Run(reproduction, program, commands, sandbox, workspace)
    before = await run.observe(Trial(environment=reproduction.environment), repeats=1)
    if before.check.result != "failed":
        return _verdict(reproduction, before, _Side.skipped("the failure was not seen again before the patch"))
    after = await run.observe(
        Trial(files=files, environment=environment),
        repeats=GREEN_REPEATS,
        requests=before.guilty,
    )
    return _verdict(reproduction, before, after)


async def see_alone(
    reproduction: Reproduction,
    program: Program | None,
    environment: Environment | None,
    commands: Commands,
    *,
    sandbox: Sandbox,
    workspace: Workspace,
) -> Check:
    """Whether the failure is seen without any patch: red if it is, green if not, not run where it cannot be told.

    `environment` is what the program's manifests give it, None for the one of the canary's pods.
    """
    if program is None or reproduction.kind not in {"replay", "start"}:
        return Check(result="not_run", reason=reproduction.reason or f"a {reproduction.kind} trial needs a patch")
    run = _Run(reproduction, program, commands, sandbox, workspace)
    side = await run.observe(Trial(environment=environment or reproduction.environment), repeats=GREEN_REPEATS)
    return side.check


def _gives_the_same(one: Environment, other: Environment) -> bool:
    return (one.variables, one.files) == (other.variables, other.files)


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


class _Side(BaseModel):
    """One side of the comparison as it came out."""

    model_config = ConfigDict(frozen=True)

    check: Check
    tests: Check
    guilty: tuple[Request, ...] = ()
    """The requests whose answers were wrong."""
    could_run: bool = True
    """False where it was the sandbox that failed, which says nothing about the code."""

    @classmethod
    def skipped(cls, reason: str, *, could_run: bool = True) -> "_Side":
        check = Check(result="not_run", reason=reason)
        return cls(check=check, tests=check, could_run=could_run)


class _Run:
    """What both sides share."""

    def __init__(
        self,
        reproduction: Reproduction,
        program: Program,
        commands: Commands,
        sandbox: Sandbox,
        workspace: Workspace,
    ) -> None:
        self._reproduction = reproduction
        self._program = program
        self._commands = commands
        self._sandbox = sandbox
        self._workspace = workspace

    async def observe(self, trial: Trial, repeats: int, requests: tuple[Request, ...] = ()) -> _Side:
        """Lay the side out, reproduce on it, run its tests, and clear it away."""
        try:
            tree = await self._workspace.lay_out(self._program.url, self._program.commit, trial.files)
        except Denied as error:
            return _Side.skipped(f"the commit cannot be laid out: {error}", could_run=False)
        try:
            if self._commands.setup:
                done = await self._sandbox.run(tree, self._commands.setup, {})
                if done.status != "ok" or done.exit_code != 0:
                    reason = f"`setup` of .selfheal.yml failed: {ending(done)}"
                    return _Side.skipped(reason, could_run=done.status != "failed")
            asked = (requests or self._reproduction.requests) * repeats
            served = await self._sandbox.serve(
                tree,
                self._commands.run,
                trial.environment.variables,
                files=trial.environment.files,
                requests=asked,
                listen_seconds=LISTEN_SECONDS if self._reproduction.kind == "start" else 0,
            )
            tests = await run_suite(tree, self._commands, self._sandbox)
        finally:
            await self._workspace.clear(tree)
        return self._judge(served, asked, tests)

    def _judge(self, served: Served, asked: tuple[Request, ...], tests: Check) -> _Side:
        command = " ".join(self._commands.run)
        if asked:
            command += "  <-  " + ", ".join(dict.fromkeys(f"{r.method} {r.path}" for r in asked))
        if served.status != "ok":
            check = Check(result="not_run", command=command, reason=served.reason or served.status)
            return _Side(check=check, tests=tests, could_run=served.status != "failed")
        seen = self._reproduction.signature is not None and shows(self._reproduction.signature, served.output)
        wrong = tuple(
            request
            for request, answer in zip(asked, served.responses, strict=False)
            if answer.status is None or answer.status >= 500
        )
        if self._reproduction.kind == "start":
            result, reason = _judge_start(served, seen=seen)
        else:
            result, reason = _judge_replay(served, seen=seen, wrong=bool(wrong))
        check = Check(result=result, command=command, output=tail(served.output), reason=reason)
        return _Side(check=check, tests=tests, guilty=tuple(dict.fromkeys(wrong)))


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


def _verdict(reproduction: Reproduction, before: _Side, after: _Side) -> Verification:
    verdict, why = _compare(before, after)
    unchecked = [*why, *reproduction.environment.stand_ins]
    if verdict == "verified":
        unchecked += _about_tests(before.tests, after.tests)
    return Verification(
        kind=reproduction.kind,
        verdict=verdict,
        before=before.check,
        after=after.check,
        tests_before=before.tests,
        tests_after=after.tests,
        unchecked=tuple(unchecked),
    )


def _compare(before: _Side, after: _Side) -> tuple[Verdict, list[str]]:
    if before.check.result != "failed":
        return "unverified", [_why_not_red(before.check)]
    if after.check.result == "failed":
        return "refuted", ["the failure is still there after the patch"]
    if after.check.result == "not_run":
        return "refuted" if after.could_run else "unverified", [f"after the patch: {after.check.reason}"]
    if after.tests.result == "failed" and before.tests.result == "passed":
        return "refuted", ["the repository's own tests pass before the patch and fail after it"]
    return "verified", []


def _about_tests(before: Check, after: Check) -> list[str]:
    """What the repository's own tests leave open beside a verified patch."""
    if after.result == "not_run":
        return [f"the repository's own tests: {after.reason}"]
    if after.result == "failed" and before.result == "not_run":
        return [f"the repository's own tests fail after the patch, and could not be run before it: {before.reason}"]
    return ["the repository's own tests were red before the patch already"] if before.result == "failed" else []


def _why_not_red(check: Check) -> str:
    if check.result == "passed":
        return "the failure could not be seen again: the canary's code passed here"
    return check.reason or "the failure could not be seen again"


def _rendered(patch: Patch, reproduction: Reproduction, reason: str) -> Verification:
    """Nothing can be run: of manifests it is told what they give back, and the pull request says that it is no more."""
    documents = is_of_manifests(patch, reproduction.values)
    found = _without_run(
        reproduction.model_copy(update={"kind": "render" if documents else "none"}), "unverified", reason
    )
    told = given_back(patch, reproduction.values)
    if told is None:
        return found
    before, after = (Check(result="not_run", reason=text) for text in told)
    return found.model_copy(update={"before": before, "after": after})


def _without_run(reproduction: Reproduction, verdict: Verdict, reason: str) -> Verification:
    check = Check(result="not_run", reason=reason)
    return Verification(
        kind=reproduction.kind,
        verdict=verdict,
        before=check,
        after=check,
        tests_before=check,
        tests_after=check,
        unchecked=(reason,),
    )


def _statuses(responses: tuple[Response, ...]) -> str:
    return ", ".join(str(answer.status or "no answer") for answer in responses) or "none"
