"""What the repository's own tests say against a patch: a guard beside the reproduction, never the red.

A test counts where it was green before and is red after, twice on both sides; one that is not the same twice is named
as flaky. What was red before is not blamed on the patch.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from agents.verification.nouns import Check, Verdict
from agents.verification.site import Site
from agents.verification.suite import Tests

ALL = "the test command as a whole"
"""Stands for the tests of a runner that names none of them."""
MOST_NAMED = 5


class Shown(TypedDict):
    """The checks of the tests, under the names that a `Verification` has for them."""

    tests_before: Check
    tests_after: Check
    targeted_before: Check | None
    targeted_after: Check | None


async def guard(
    site: Site, commit: str, files: Mapping[str, str | None], before: Tests, after: Tests
) -> tuple[Verdict, list[str]]:
    """The tests' word on a patch that removes the failure; what is newly red is run again on both sides first."""
    new = newly_failing(before, after)
    if not new:
        return "verified", []
    again_after = await site.test(commit, files)
    again_before = await site.test(commit, {})
    broken = steady(new, again_before, again_after)
    if broken:
        which = "" if broken == (ALL,) else f": {named(broken)}"
        return "refuted", [f"the repository's own tests pass before the patch and fail after it{which}"]
    return "verified", [f"flaky: {named(new)}: red at first with the patch, but not each time, or without it too"]


def shown(before: Tests, after: Tests) -> Shown:
    """The checks of both sides; of the targeted tests only where they can be run on their own at all."""
    near, also_near = before.targeted, after.targeted
    alone = near is not None and not (near.check.result == "failed" and before.check.result == "passed")
    return Shown(
        tests_before=before.check,
        tests_after=after.check,
        targeted_before=near.check if near and alone else None,
        targeted_after=also_near.check if also_near and alone else None,
    )


def newly_failing(before: Tests, after: Tests) -> tuple[str, ...]:
    """The tests that were green before and are red after; `ALL` where only the exit code tells.

    Nothing is blamed where the tests before the patch are not known: not run, not to their end, or red without names.
    """
    if before.targeted is not None and after.targeted is not None:
        near = _newly_failing(before.targeted, after.targeted)
        if near:
            return near
    return _newly_failing(before, after)


def _newly_failing(before: Tests, after: Tests) -> tuple[str, ...]:
    if after.check.result != "failed" or before.check.result == "not_run":
        return ()
    if before.check.result == "passed":
        return after.failing or (ALL,)
    if not before.failing or not before.is_whole:
        return ()
    return tuple(name for name in after.failing if name not in before.failing)


def steady(new: Sequence[str], before_again: Tests, after_again: Tests) -> tuple[str, ...]:
    """Of the tests that failed newly, those that do so each time: red after again, and not red before."""
    if "not_run" in {before_again.check.result, after_again.check.result}:
        return tuple(new)
    return tuple(name for name in new if _is_red(after_again, name) and not _is_red(before_again, name))


def _is_red(tests: Tests, name: str) -> bool:
    sides = [tests] if tests.targeted is None else [tests, tests.targeted]
    return any(one.check.result == "failed" and (name == ALL or name in one.failing) for one in sides)


def named(tests: Sequence[str]) -> str:
    """Tests in a sentence."""
    more = f" and {len(tests) - MOST_NAMED} more" if len(tests) > MOST_NAMED else ""
    return ", ".join(tests[:MOST_NAMED]) + more


def about(before: Tests, after: Tests) -> list[str]:
    """What the repository's own tests leave open beside a verified patch."""
    old, new = before.check, after.check
    if new.result == "not_run":
        return [f"the repository's own tests: {new.reason}"]
    if new.result == "failed" and old.result == "not_run":
        return [f"the repository's own tests fail after the patch, and could not be run before it: {old.reason}"]
    if old.result == new.result == "failed":
        of = f": {named(before.failing)}" if before.failing else ""
        return [f"the repository's own tests were red before the patch already{of}"]
    return []
