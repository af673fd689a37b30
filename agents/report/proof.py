"""The second half of a page: the first line, the proof, and what was not checked."""

from agents.markdown import code, fence, prose
from agents.report.story import Story
from agents.verification import Check, Verification

MOST_NOTES = 12
ALWAYS_OPEN = "- Whether the next canary is healthy: only a new canary shows that."
SEEN_AGAIN = {
    "replay": "the request of the canary, sent again",
    "start": "the start of the program, tried again",
    "latency": "the slow request, timed against the stable version",
    "test": "a regression test that comes with the change, run without it and with it",
}
"""The kinds of reproduction that a red and a green can be claimed of (DESIGN section 6)."""
TRIED = {
    "replay": "the canary's request, sent again",
    "start": "the start of the program",
    "latency": "the slow request",
    "test": "the regression test",
    "render": "the rendered manifests",
}


def headline(story: Story) -> tuple[str, tuple[str, ...]]:
    """The first line, and which of the open points it names already."""
    verification = story.verification
    if verification is None:
        return "Not verified: nothing was run", ()
    if story.patch is not None and story.patch.is_pin and verification.verdict == "unverified":
        return "**Rolls back, does not cure:** proven by rendering the manifests, not by a run.", ()
    if verification.verdict != "verified":
        reason = verification.unchecked[0] if verification.unchecked else "nothing was run"
        only = "; the rendered manifests were compared, and nothing was run" if verification.kind == "render" else ""
        return f"Not verified: {prose(reason)}{only}", (reason,)
    if verification.kind not in SEEN_AGAIN:
        return "**Verified without a run:** the change gives back what the stable version had.", ()
    return f"**Red before, green after:** {SEEN_AGAIN[verification.kind]}.", ()


def proof(story: Story) -> list[str]:
    """Red and green as a table, the commands, and the last lines that were written."""
    verification = story.verification
    if verification is None:
        return []
    parts = ["## Proof", "\n".join(_rows(verification))]
    sides = (("before", verification.before), ("after", verification.after))
    commands = {name: check.command for name, check in sides if check.command}
    if len(set(commands.values())) == 1:
        commands = {"before and after": next(iter(commands.values()))} if len(commands) == 2 else commands
    runs = [f"- Run {name}: {code(command)}" for name, command in commands.items()]
    runs += [f"- {name}: {code(check.command)}" for name, check in _tests(verification) if check.command]
    parts.append("\n".join(runs))
    tests = verification.tests_after
    more = [("of the repository's own tests after", tests)] if tests.result == "failed" else []
    for name, check in [*sides, *more]:
        if check.output.strip():
            summary = f"<details><summary>The last lines of the output {name}</summary>"
            parts.append(f"{summary}\n\n{fence(check.output)}\n\n</details>")
    return parts


def unchecked(story: Story, said: tuple[str, ...]) -> list[str]:
    """What stays open; what the first line said already is not said again."""
    gaps = [
        f"{item.id}: {item.reason or item.status}"
        for item in story.bundle.items
        if item.status in {"denied", "failed", "gone"}
    ]
    of_run = story.verification.unchecked if story.verification else ()
    lines = [one for one in dict.fromkeys([*of_run, *story.notes, *gaps]) if one not in said]
    rows = [f"- {prose(one)}" for one in lines[:MOST_NOTES]]
    if len(lines) > MOST_NOTES:
        rows.append(f"- and {len(lines) - MOST_NOTES} more, which the incident lists")
    return ["## Not checked", "\n".join([*rows, ALWAYS_OPEN])]


def _rows(verification: Verification) -> list[str]:
    """The repository's own tests have a row where they were asked for: not where nothing was run at all."""
    is_render = verification.kind == "render"
    rows = [
        "| | before | after |",
        "| --- | --- | --- |",
        _row(TRIED.get(verification.kind, "the failure"), verification),
    ]
    if is_render:
        rows[-1] = f"| {TRIED['render']} | {_given(verification.before)} | {_given(verification.after)} |"
    if verification.targeted_before is not None and verification.targeted_after is not None:
        near = (_result(side) for side in (verification.targeted_before, verification.targeted_after))
        rows.append(f"| the tests nearest to the change | {' | '.join(near)} |")
    if {verification.tests_before.result, verification.before.result} != {"not_run"}:
        tests = (_result(side) for side in (verification.tests_before, verification.tests_after))
        rows.append(f"| the repository's own tests | {' | '.join(tests)} |")
    if verification.base is not None:
        tip = f"{prose(verification.base.branch)} at {verification.base.commit[:12]}"
        sides = (_result(side) for side in (verification.base.before, verification.base.after))
        rows.append(f"| the failure on {tip} | {' | '.join(sides)} |")
    return rows


def _tests(verification: Verification) -> list[tuple[str, Check]]:
    near, whole = verification.targeted_after or verification.targeted_before, verification.tests_after
    whole = whole if whole.command else verification.tests_before
    return [*([("The tests nearest to the change", near)] if near else []), ("The repository's own tests", whole)]


def _row(name: str, verification: Verification) -> str:
    return f"| {name} | {_result(verification.before)} | {_result(verification.after)} |"


def _given(check: Check) -> str:
    """What a rendered manifest holds: it is no run, so it is neither red nor green. Its pointers are JSON pointers."""
    text = (check.reason or "").replace("~1", "/").replace("~0", "~")
    return code(text).replace("|", "\\|") if text else "not compared"


def _result(check: Check) -> str:
    word = {"failed": "red", "passed": "green", "not_run": "not run"}[check.result]
    return f"{word}: {prose(check.reason)}" if check.reason else word
