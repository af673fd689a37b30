"""The `test` reproduction: a regression test that comes with the patch.

Red: on the canary's code, with nothing of the patch but its tests, it fails for the reason in the diagnosis. Green:
with the whole patch it passes, each time. Where program, request and slowness can be tried, they are; this is for
what cannot be started here.
"""

import re
from collections.abc import Mapping

from agents.frames import Signature, find_traces
from agents.patch import Patch
from agents.verification.detection import is_test
from agents.verification.nouns import Check
from agents.verification.reproduction import Reproduction
from agents.verification.runners import aimed_at
from agents.verification.sides import Side, shows
from agents.verification.site import Site
from agents.verification.suite import Tests, run_suite, run_tests

GREEN_REPEATS = 3
ASSERTIONS = frozenset({"AssertionError", "AssertionFailedError", "AssertionFailed", "ComparisonFailure"})
GO_FAILED_AT = re.compile(r"^\s+(\S+_test\.go):\d+: ", re.MULTILINE)


def tests_of(patch: Patch) -> Mapping[str, str]:
    """The tests that a patch adds or changes: path -> text."""
    return {change.path: change.after for change in patch.changes if change.after is not None and is_test(change.path)}


def can_try(patch: Patch, reproduction: Reproduction, site: Site) -> bool:
    """Whether the patch brings a test that can be run alone, and there is a failure to compare it with."""
    return reproduction.signature is not None and bool(aimed_at(site.commands.runner, _files(patch, site)))


def _files(patch: Patch, site: Site) -> tuple[str, ...]:
    ending = ".go" if site.commands.runner == "go" else ".py"
    return tuple(path for path in tests_of(patch) if path.endswith(ending))


async def observe_test(patch: Patch, commit: str, reproduction: Reproduction, site: Site, *, with_fix: bool) -> Side:
    """Run the patch's tests on the canary's code, or with the fix, and then all of them."""
    tests = tests_of(patch)
    command = aimed_at(site.commands.runner, _files(patch, site))
    files = {change.path: change.after for change in patch.changes} if with_fix else dict(tests)
    async with site.ground(commit, files) as ground:
        if ground.problem is not None:
            return Side.skipped(ground.problem, could_run=ground.could_run, unchecked=ground.unchecked)
        for _ in range(GREEN_REPEATS if with_fix else 1):
            ran = await run_tests(ground.tree, command, site.commands, site.sandbox, ground.environment)
            if ran.check.result != "passed":
                break
        side = Side(check=ran.check, tests=ran, could_run=ran.check.result != "not_run", unchecked=ground.unchecked)
        if with_fix:
            whole = await run_suite(ground.tree, site.commands, site.sandbox, ground.environment)
            return side.model_copy(update={"tests": whole})
    return side.model_copy(update={"check": judge(ran, reproduction.signature, tests)})


def judge(ran: Tests, signature: Signature | None, tests: Mapping[str, str]) -> Check:
    """Whether a test fails for the reason in the diagnosis: its exception, or an assertion about its function."""
    check = ran.check
    if check.result != "failed" or signature is None:
        return check
    if shows(signature, ran.output):
        return check.model_copy(update={"reason": "the test fails with the canary's exception"})
    if _asserts(ran.output, signature, tests):
        return check.model_copy(update={"reason": f"the test fails on what it asserts of {signature.function}"})
    reason = "the test fails before the change, but for another reason than the canary did"
    return check.model_copy(update={"result": "not_run", "reason": reason})


def _asserts(output: str, signature: Signature, tests: Mapping[str, str]) -> bool:
    """Whether an assertion of one of the tests failed that names the function in which the canary failed."""
    function = (signature.function or "").rpartition(".")[2]
    naming = [path for path, text in tests.items() if function and re.search(rf"\b{re.escape(function)}\b", text)]
    failed = [
        frame.path for trace in find_traces("output", output) if trace.exception in ASSERTIONS for frame in trace.frames
    ]
    failed += [found[1] for found in GO_FAILED_AT.finditer(output)]
    return any(
        f"/{path}".endswith(f"/{place.removeprefix('./')}") or f"/{place}".endswith(f"/{path}")
        for path in naming
        for place in failed
    )
