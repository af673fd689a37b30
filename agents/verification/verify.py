"""Run a reproduction before and after a patch, and the repository's own tests beside it.

The tests are a guard, never the red. Nothing here decides what happens to the patch: `policy` does, on the verdict
and on the list of what was not checked.
"""

import asyncio
from collections.abc import Mapping

from agents.patch import Patch
from agents.verification.environment import Environment
from agents.verification.guarding import about, guard, shown
from agents.verification.latency import measure
from agents.verification.nouns import Check, Program, Verdict, Verification
from agents.verification.ports import Dependencies, Sandbox, Workspace
from agents.verification.regression import can_try, observe_test
from agents.verification.rendering import given_back, is_of_manifests
from agents.verification.reproduction import Commands, Reproduction
from agents.verification.sides import Side, Trial, observe
from agents.verification.site import Site
from agents.verification.syntax import syntax_error

GREEN_REPEATS = 3


async def verify(
    patch: Patch,
    reproduction: Reproduction,
    program: Program | None,
    patched_environment: Environment | None,
    commands: Commands,
    *,
    sandbox: Sandbox,
    workspace: Workspace,
    dependencies: Dependencies | None = None,
) -> Verification:
    """Red before, green after.

    `patched_environment` is what the patched manifests give the program, None for a patch of another repository. One
    repository may hold both, program and manifests.
    """
    broken = await asyncio.to_thread(syntax_error, patch)
    if broken:
        return _without_run(reproduction, "refuted", broken)
    if program is None:
        return _rendered(patch, reproduction, reproduction.reason or "the source of the running program is not known")
    site = Site(program.url, commands, sandbox, workspace, dependencies)
    files = {change.path: change.after for change in patch.changes} if patch.repository == program.url else {}
    brings_a_test = bool(files) and not commands.off and can_try(patch, reproduction, site)
    environment = patched_environment or reproduction.environment
    if reproduction.kind in {"render", "none"}:
        found = None if brings_a_test else _rendered(patch, reproduction, reproduction.reason or "nothing can be run")
    elif not files and _gives_the_same(environment, reproduction.environment):
        why = "what the patch changes in the manifests is not read when they are tried"
        found = _rendered(patch, reproduction, why)
    elif reproduction.kind == "latency":
        found = await measure(files, reproduction, program, site)
    else:
        found = await _try_program(program, files, environment, reproduction, site)
    # A test that the patch brings shows what the program could not: it does not start here, or needs what is not there.
    could_not_see = found is None or (found.verdict == "unverified" and found.before.result == "not_run")
    if brings_a_test and could_not_see:
        return await _try_its_test(patch, program, reproduction, site)
    return found or _rendered(patch, reproduction, "nothing can be run")


async def _try_program(
    program: Program,
    files: Mapping[str, str | None],
    environment: Environment,
    reproduction: Reproduction,
    site: Site,
) -> Verification:
    """The program itself, started and asked on both sides."""
    before = await observe(site, program.commit, reproduction, Trial(environment=reproduction.environment), repeats=1)
    if before.check.result != "failed":
        skipped = Side.skipped("the failure was not seen again before the patch")
        return _verdict(reproduction, before, skipped, "unverified", [_why_not_red(before.check)])
    after = await observe(
        site,
        program.commit,
        reproduction,
        Trial(files=files, environment=environment),
        repeats=GREEN_REPEATS,
        requests=before.guilty,
    )
    verdict, why = await _compare(site, program.commit, files, before, after)
    return _verdict(reproduction, before, after, verdict, why)


async def _try_its_test(patch: Patch, program: Program, reproduction: Reproduction, site: Site) -> Verification:
    """The patch's own regression test: before with nothing of the patch but its tests, after with all of it."""
    kind = reproduction.model_copy(update={"kind": "test"})
    files = {change.path: change.after for change in patch.changes}
    before = await observe_test(patch, program.commit, reproduction, site, with_fix=False)
    if before.check.result != "failed":
        skipped = Side.skipped("the test was not red before the patch")
        return _verdict(kind, before, skipped, "unverified", [_why_not_red(before.check)])
    after = await observe_test(patch, program.commit, reproduction, site, with_fix=True)
    unpatched = await site.test(program.commit, {})
    before = before.model_copy(update={"tests": unpatched})
    verdict, why = await _compare(site, program.commit, files, before, after)
    return _verdict(kind, before, after, verdict, why)


async def see_alone(
    reproduction: Reproduction,
    program: Program | None,
    environment: Environment | None,
    commands: Commands,
    *,
    sandbox: Sandbox,
    workspace: Workspace,
    dependencies: Dependencies | None = None,
) -> Check:
    """Whether the failure is seen without any patch: red if it is, green if not, not run where it cannot be told.

    `environment` is what the program's manifests give it, None for the one of the canary's pods.
    """
    if program is None or reproduction.kind not in {"replay", "start"}:
        return Check(result="not_run", reason=reproduction.reason or f"a {reproduction.kind} trial needs a patch")
    alone = commands.model_copy(update={"test": (), "targets": ()})
    site = Site(program.url, alone, sandbox, workspace, dependencies)
    trial = Trial(environment=environment or reproduction.environment)
    side = await observe(site, program.commit, reproduction, trial, repeats=GREEN_REPEATS)
    return side.check


def _gives_the_same(one: Environment, other: Environment) -> bool:
    return (one.variables, one.files) == (other.variables, other.files)


async def _compare(
    site: Site, commit: str, files: Mapping[str, str | None], before: Side, after: Side
) -> tuple[Verdict, list[str]]:
    if after.check.result == "failed":
        return "refuted", ["the failure is still there after the patch"]
    if after.check.result == "not_run":
        return "refuted" if after.could_run else "unverified", [f"after the patch: {after.check.reason}"]
    return await guard(site, commit, files, before.tests, after.tests)


def _verdict(reproduction: Reproduction, before: Side, after: Side, verdict: Verdict, why: list[str]) -> Verification:
    unchecked = [*why, *reproduction.environment.stand_ins]
    if verdict == "verified":
        unchecked += about(before.tests, after.tests)
    unchecked += [*before.unchecked, *after.unchecked]
    return Verification(
        kind=reproduction.kind,
        verdict=verdict,
        before=before.check,
        after=after.check,
        **shown(before.tests, after.tests),
        unchecked=tuple(dict.fromkeys(unchecked)),
    )


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
