"""What people read: the analysis as Markdown, and the text of the pull request. Pure.

Two minutes must do: what failed, why, the evidence, the change, red and green, what was not checked. Whatever comes
from outside passes `markdown`, and is redacted once more: commits and diffs never were in a bundle.
"""

import re

from pydantic import BaseModel, ConfigDict

from agents.diagnosis import Claim, Diagnosis
from agents.evidence import Manifest, Version
from agents.markdown import DIFF_LINES, code, fence, line, prose
from agents.patch import Patch
from agents.redaction import Redactor
from agents.verification import Check, Verification

TITLE_WIDTH = 120
MOST_CLAIMS = 5
MOST_NOTES = 12
MOST_TEXT = 60_000
"""GitHub refuses a text of more than 65,536 characters; what joins the parts and the marker come on top."""
LEFT_OUT = "*[left out: the text would be longer than the forge takes; the incident has it]*"
BY_MODEL = (
    "A model wrote this change. Read it as you would a stranger's: what is proven stands below, and nothing else."
)
IF_WANTED = (
    "If what it takes away is wanted, put it right on this branch or close the pull request: whatever a person pushes, "
    "rewords or closes stays as it is."
)
ALWAYS_OPEN = "- Whether the next canary is healthy: only a new canary shows that."


class Story(BaseModel):
    """All that a report tells."""

    model_config = ConfigDict(frozen=True)

    bundle: Manifest
    diagnosis: Diagnosis
    patch: Patch | None = None
    verification: Verification | None = None
    reasons: tuple[str, ...] = ()
    """Why there is no pull request, the one that counts first."""
    notes: tuple[str, ...] = ()
    """What was not looked at, in the order that matters to the reader."""


def title(story: Story) -> str:
    """One line that names the rollout and the cause; for a pull request, the change."""
    story = _redacted(story)
    if story.patch is not None and not story.reasons:
        what = {"revert": "Revert the change", "restore": "Restore the value"}.get(story.patch.strategy, "Change")
        files = [change.path for change in story.patch.changes]
        place = files[0] if len(files) == 1 else f"{len(files)} files"
        if story.patch.by_model:
            return line(f"Fix {story.bundle.rollout} in {place}", TITLE_WIDTH)
        return line(f"{what} in {place} that broke {story.bundle.rollout}", TITLE_WIDTH)
    where = story.diagnosis.location
    place = f" in {where.file}" if where else ""
    category = story.diagnosis.category
    cause = "cause unknown" if category == "unknown" else f"{category} cause"
    return line(f"Canary of {story.bundle.rollout} failed: {cause}{place}", TITLE_WIDTH)


def who_failed(story: Story) -> str:
    """Which canary failed, in a few words of Markdown."""
    who = f"{story.bundle.namespace}/{story.bundle.rollout}"
    where = f"revision {story.bundle.revision} in {story.bundle.cluster}"
    return f"{code(who)} ({prose(where)})"


def one_line(story: Story) -> str:
    """Which canary failed of what, on one line of Markdown."""
    story = _redacted(story)
    return f"{who_failed(story)}: {prose(line(story.diagnosis.summary, 2 * TITLE_WIDTH))}"


def pull_request_text(story: Story) -> str:
    """The body of the pull request. Unverified says so in its first line."""
    story = _redacted(story)
    headline, said = _headline(story)
    parts = [headline, *_what_failed(story), *_why(story)]
    if story.patch is not None:
        parts += [
            "## The change",
            prose(story.patch.why),
            _size(story.patch),
            BY_MODEL if story.patch.by_model else IF_WANTED,
        ]
    return _page([*parts, *_proof(story), *_unchecked(story, said), _footer(story)])


def issue_text(story: Story) -> str:
    """The analysis where there is no pull request; a diff that was tried is shown as text."""
    story = _redacted(story)
    parts = [f"**No pull request:** {prose('; '.join(story.reasons))}" if story.reasons else ""]
    parts += [*_what_failed(story), *_why(story)]
    if story.patch is not None:
        parts += ["## The change that was tried", prose(story.patch.why), fence(story.patch.diff, "diff", DIFF_LINES)]
        parts += [BY_MODEL] if story.patch.by_model else []
    return _page([*parts, *_proof(story), *_unchecked(story, story.reasons), _footer(story)])


def commit_message(story: Story) -> str:
    """Subject and body of the commit, each part on one line, so that none can be taken for a trailer."""
    story = _redacted(story)
    why = line(story.patch.why, 2 * TITLE_WIDTH) if story.patch else ""
    return f"{title(story)}\n\n{line(story.diagnosis.summary, 3 * TITLE_WIDTH)}\n\n{why}\n"


def _redacted(story: Story) -> Story:
    """Secrets out of what was not in the bundle: commit subjects, diffs and file names of a repository."""
    return Story.model_validate(Redactor().redact_json(story.model_dump(mode="json", by_alias=True)))


def _page(parts: list[str]) -> str:
    """The parts that find room, each whole so that no fence is left open, and the last one, the footer."""
    *others, footer = (part for part in parts if part)
    room = MOST_TEXT - len(footer)
    kept: list[str] = []
    for part in others:
        kept.append(part if len(part) <= room else LEFT_OUT)
        room -= len(kept[-1])
    return "\n\n".join([*kept, footer])


def _headline(story: Story) -> tuple[str, tuple[str, ...]]:
    """The first line, and which of the open points it names already."""
    verification = story.verification
    if verification is None:
        return "Not verified: nothing was run", ()
    if verification.verdict != "verified":
        reason = verification.unchecked[0] if verification.unchecked else "nothing was run"
        return f"Not verified: {prose(reason)}", (reason,)
    runs = {
        "replay": "the request of the canary, sent again",
        "start": "the start of the program, tried again",
        "latency": "the slow request, timed against the stable version",
        "test": "a regression test that comes with the change, run without it and with it",
    }
    return f"**Red before, green after:** {runs.get(verification.kind, verification.kind)}.", ()


def _what_failed(story: Story) -> list[str]:
    bundle = story.bundle
    where = f"{code(bundle.rollout)} in {code(bundle.namespace)} on {code(bundle.cluster)}"
    rows = [
        f"- Rollout: {where}, revision {code(bundle.revision)}",
        f"- Canary: {code(bundle.canary.hash)}{_commit(bundle.canary)}",
        f"- Stable: {code(bundle.stable.hash)}{_commit(bundle.stable)}",
    ]
    return ["## What failed", "\n".join(rows)]


def _why(story: Story) -> list[str]:
    diagnosis = story.diagnosis
    facts = []
    if diagnosis.location is not None:
        where = diagnosis.location
        number = f":{where.line}" if where.line else ""
        function = f" in {code(where.function)}" if where.function else ""
        facts.append(f"- Where: {code(where.file + number)}{function}")
    if diagnosis.culprit_commit is not None:
        facts.append(f"- Introduced by: {prose(diagnosis.culprit_commit)}")
    facts.append(f"- Kind of cause: {diagnosis.category}, with {diagnosis.confidence} confidence")
    facts += [f"- {prose(_sentence(note))}" for note in diagnosis.notes]
    return [
        "## Why",
        prose(_sentence(diagnosis.summary)),
        "\n".join(facts),
        *(part for claim in diagnosis.claims[:MOST_CLAIMS] for part in _evidence(claim)),
    ]


def _evidence(claim: Claim) -> list[str]:
    """The claim and the places that show it; a reader who doubts it looks there."""
    (first, *others) = claim.evidence or (None,)
    if first is None:
        return [f"{prose(_sentence(claim.text))}."]
    return [
        f"{prose(_sentence(claim.text))} ({code(first.ref)}):",
        fence(first.quote),
        *(part for other in others for part in (f"{code(other.ref)}:", fence(other.quote))),
    ]


def _proof(story: Story) -> list[str]:
    verification = story.verification
    if verification is None:
        return []
    rows = [
        "| | before | after |",
        "| --- | --- | --- |",
        f"| the failure ({verification.kind}) | {_result(verification.before)} | {_result(verification.after)} |",
        f"| the repository's own tests | {_result(verification.tests_before)} | {_result(verification.tests_after)} |",
    ]
    if verification.targeted_before is not None and verification.targeted_after is not None:
        near = f"{_result(verification.targeted_before)} | {_result(verification.targeted_after)}"
        rows.insert(-1, f"| the tests nearest to the change | {near} |")
    if verification.base is not None:
        tip = f"{prose(verification.base.branch)} at {verification.base.commit[:12]}"
        before, after = (_result(side) for side in (verification.base.before, verification.base.after))
        rows.append(f"| the failure on {tip} | {before} | {after} |")
    parts = ["## Proof", "\n".join(rows)]
    sides = (("before", verification.before), ("after", verification.after))
    commands = {name: check.command for name, check in sides if check.command}
    if len(set(commands.values())) == 1:
        commands = {"before and after": next(iter(commands.values()))} if len(commands) == 2 else commands
    parts.append("\n".join(f"- Run {name}: {code(command)}" for name, command in commands.items()))
    for name, check in sides:
        if check.output.strip():
            summary = f"<details><summary>The last lines of the output {name}</summary>"
            parts.append(f"{summary}\n\n{fence(check.output)}\n\n</details>")
    return parts


def _result(check: Check) -> str:
    word = {"failed": "red", "passed": "green", "not_run": "not run"}[check.result]
    return f"{word}: {prose(check.reason)}" if check.reason else word


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _unchecked(story: Story, said: tuple[str, ...]) -> list[str]:
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


def _footer(story: Story) -> str:
    bundle = story.bundle
    return f"<sub>Self-Healing Rollouts, incident {bundle.incident}, attempt {bundle.attempt}. A person decides.</sub>"


def _size(patch: Patch) -> str:
    files = ", ".join(code(change.path) for change in patch.changes)
    lines = patch.changed_lines
    return f"{lines} changed line{'s' if lines != 1 else ''} in {files}, made on {patch.commit}."


def _commit(version: Version) -> str:
    if version.commit is None or not re.fullmatch(r"[0-9a-f]{40}", version.commit):
        return ", whose commit is not known"
    how = f" (by {prose(version.found_by)}, confidence {version.confidence})" if version.found_by else ""
    return f" at {version.commit}{how}"
