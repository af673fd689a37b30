"""One-liners: the title of a pull request or issue, the commit's subject, and an incident in a list."""

from collections.abc import Sequence

from agents.markdown import code, line, prose
from agents.report.convention import scope_for
from agents.report.story import Story

TITLE_WIDTH = 120
SUBJECT_WIDTH = 72
"""Where git and GitHub begin to cut subjects."""
TYPE = "fix"
"""Of every change of ours, a revert too: what releases by the type of a commit must release it."""


def title(story: Story) -> str:
    """One line that names the rollout and the cause; for a pull request, the change, as the repository words it."""
    story = story.redacted
    if story.patch is not None and not story.reasons:
        return _subject(story)
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
    story = story.redacted
    return f"{who_failed(story)}: {prose(line(story.diagnosis.summary, 2 * TITLE_WIDTH))}"


def again_line(story: Story) -> str:
    """An incident that an issue is open for already, and why it has no pull request, on one line of Markdown."""
    story = story.redacted
    bundle, at = story.bundle, story.failing.at or story.bundle.captured_at
    why = f" No pull request: {prose(line(story.reasons[0], TITLE_WIDTH))}." if story.reasons else ""
    who = f"revision {code(bundle.revision)} ({code(bundle.canary.hash)}), attempt {bundle.attempt}"
    return f"{at:%Y-%m-%d %H:%M} UTC, {who}: {prose(line(story.diagnosis.summary, 2 * TITLE_WIDTH))}.{why}"


def commit_message(story: Story) -> str:
    """Subject and body of the commit, each part on one line, so that none can be taken for a trailer."""
    subject, story = title(story), story.redacted
    why = line(story.patch.why, 2 * TITLE_WIDTH) if story.patch else ""
    return f"{subject}\n\n{line(story.diagnosis.summary, 3 * TITLE_WIDTH)}\n\n{why}\n"


def _subject(story: Story) -> str:
    """The longest wording that fits; what even then does not is cut."""
    paths = [change.path for change in story.patch.changes] if story.patch else []
    wordings = _wordings(story, paths)
    convention = story.convention
    if convention.is_conventional:
        scope = scope_for(convention, story.scope, paths)
        prefix = f"{TYPE}({scope}): " if scope else f"{TYPE}: "
        cased = (one if convention.is_capital else one[:1].lower() + one[1:] for one in wordings)
        wordings = [f"{prefix}{one}" for one in cased]
    lines = [line(one, SUBJECT_WIDTH) for one in wordings]
    fitting = (one for one, text in zip(lines, wordings, strict=True) if len(text) <= SUBJECT_WIDTH >= len(one))
    cut = f"{' '.join(wordings[-1].split())[: SUBJECT_WIDTH - len('...')]}..."
    return next(fitting, line(cut, SUBJECT_WIDTH))


def _wordings(story: Story, paths: Sequence[str]) -> list[str]:
    """From the one that says most to the shortest."""
    strategy = story.patch.strategy if story.patch else ""
    what = {"revert": "Revert the change", "restore": "Restore the value"}.get(strategy, "Change")
    rollout, name = story.bundle.rollout, paths[0].rpartition("/")[2] if paths else ""
    places = [paths[0], name] if len(paths) == 1 else [f"{len(paths)} files"]
    if story.patch is not None and story.patch.by_model:
        return [*(f"Fix {rollout} in {place}" for place in places), f"Fix {rollout}"]
    if story.patch is not None and story.patch.is_pin:
        return [f"Set {rollout} back to its stable version", f"Set {rollout} back"]
    return [*(f"{what} in {place} that broke {rollout}" for place in places), f"{what} that broke {rollout}"]
