"""The `latency` reproduction: the slow request against stable, canary and patched, interleaved, by their medians.

Red: the canary's median is at least twice the stable version's. Green: the patched one is within 1.25 times
(DESIGN section 6). Each version is started anew in every round, so that a machine that is busy for a moment is busy
for all three.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from statistics import median

from pydantic import BaseModel, ConfigDict

from agents.verification.guarding import about, guard, shown
from agents.verification.nouns import Check, Program, Verdict, Verification, tail
from agents.verification.ports import Served
from agents.verification.reproduction import Reproduction
from agents.verification.site import Ground, Site
from agents.verification.suite import Tests, run_suite

ROUNDS = 3
REQUESTS = 10
"""A round and version; one more goes before them to warm the program up."""
RED, GREEN = 2.0, 1.25
NOISE_SECONDS = 0.002
"""A difference that loopback alone can make."""


class _Measured(BaseModel):
    """One version: its answers' seconds, and why there are none, if so."""

    model_config = ConfigDict(frozen=True)

    seconds: tuple[float, ...] = ()
    problem: str | None = None
    output: str = ""

    @property
    def median(self) -> float:
        return median(self.seconds) if self.seconds else 0.0


async def measure(
    files: Mapping[str, str | None], reproduction: Reproduction, program: Program, site: Site
) -> Verification:
    """Measure the three versions, run the repository's tests on canary and patched, and compare. `files`: the patch."""
    if program.stable is None:
        return _unverified("the stable version's commit is not known, so there is nothing to measure against")
    async with AsyncExitStack() as places:
        grounds: dict[str, Ground] = {}
        for name, commit, changed in (
            ("stable", program.stable, {}),
            ("canary", program.commit, {}),
            ("patched", program.commit, files),
        ):
            grounds[name] = await places.enter_async_context(site.ground(commit, changed))
            if grounds[name].problem is not None:
                return _unverified(f"{grounds[name].problem} (on the {name} version)")
        measured = {name: _Measured() for name in grounds}
        for _ in range(ROUNDS):
            for name, ground in grounds.items():
                measured[name] = _add(measured[name], await _ask(ground, reproduction, site))
        before, after = [
            await run_suite(grounds[name].tree, site.commands, site.sandbox, grounds[name].environment)
            for name in ("canary", "patched")
        ]
        lacking = tuple(gap for ground in grounds.values() for gap in ground.unchecked)
    found = _compare(measured, before, after, reproduction, " ".join(site.commands.run))
    unchecked = list(found.unchecked)
    verdict = found.verdict
    if verdict == "verified":
        verdict, why = await guard(site, program.commit, files, before, after)
        unchecked = [*why, *unchecked, *(about(before, after) if verdict == "verified" else [])]
    told = tuple(dict.fromkeys([*unchecked, *lacking]))
    return found.model_copy(update={"verdict": verdict, "unchecked": told})


async def _ask(ground: Ground, reproduction: Reproduction, site: Site) -> Served:
    return await site.sandbox.serve(
        ground.tree,
        site.commands.run,
        {**reproduction.environment.variables, **ground.environment},
        files=reproduction.environment.files,
        requests=reproduction.requests[:1] * (REQUESTS + 1),
        listen_seconds=0,
    )


def _add(measured: _Measured, served: Served) -> _Measured:
    problem = measured.problem
    if served.status != "ok":
        problem = served.reason or served.status
    elif not served.listened:
        problem = f"it did not start here (exit code {served.exit_code})"
    elif any(answer.status is None or answer.status >= 500 for answer in served.responses):
        problem = "the request fails here"
    seconds = tuple(answer.seconds for answer in served.responses[1:])
    return _Measured(seconds=(*measured.seconds, *seconds), problem=problem, output=served.output)


def _compare(
    measured: Mapping[str, _Measured], tests_before: Tests, tests_after: Tests, reproduction: Reproduction, run: str
) -> Verification:
    for name, one in measured.items():
        if one.problem is not None:
            return _unverified(f"the {name} version could not be measured: {one.problem}", run)
    stable, canary, patched = (measured[name] for name in ("stable", "canary", "patched"))
    request = reproduction.requests[0]
    command = f"{run}  <-  {request.method} {request.path}, {len(canary.seconds)} times each"
    red = canary.median >= RED * stable.median and canary.median - stable.median > NOISE_SECONDS
    green = patched.median <= max(GREEN * stable.median, stable.median + NOISE_SECONDS)
    before = Check(
        result="failed" if red else "passed",
        command=command,
        output=tail(canary.output),
        reason=f"median {_ms(canary)} against {_ms(stable)} of the stable version",
    )
    after = Check(
        result="passed" if green else "failed",
        command=command,
        output=tail(patched.output),
        reason=f"median {_ms(patched)} against {_ms(stable)} of the stable version",
    )
    verdict: Verdict = "verified"
    unchecked = list(reproduction.environment.stand_ins)
    if not red:
        verdict = "unverified"
        unchecked.insert(0, f"the slowness could not be seen again: {before.reason}")
    elif not green:
        verdict = "refuted"
        unchecked.insert(0, f"it is still slow after the patch: {after.reason}")
    return Verification(
        kind="latency",
        verdict=verdict,
        before=before,
        after=after,
        **shown(tests_before, tests_after),
        unchecked=tuple(unchecked),
    )


def _ms(measured: _Measured) -> str:
    return f"{measured.median * 1000:.1f} ms"


def _unverified(reason: str, command: str = "") -> Verification:
    check = Check(result="not_run", command=command, reason=reason)
    return Verification(
        kind="latency",
        verdict="unverified",
        before=check,
        after=check,
        tests_before=check,
        tests_after=check,
        unchecked=(reason,),
    )
