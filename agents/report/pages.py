"""The pages as a whole: the body of a pull request, and of an issue."""

from agents.markdown import DIFF_LINES, code, fence, prose
from agents.patch import Patch
from agents.remarks import meanwhile, on_merging, tried_before, what_a_pin_does, why_this_way
from agents.report.failure import commit, what_failed, why
from agents.report.proof import headline, proof, unchecked
from agents.report.story import Story

MOST_TEXT = 60_000
"""GitHub refuses a text of more than 65,536 characters; what joins the parts and the marker come on top."""
LEFT_OUT = "*[left out: the text would be longer than the forge takes; the incident has it]*"
BY_MODEL = (
    "A model wrote this change. Read it as you would a stranger's: what is proven stands below, and nothing else."
)
TO_CHANGE = (
    "- Is something else wanted? Push to this branch, or reword title and text: what a person did is never written "
    "over. Comments are not read.\n"
    "- Is it not wanted? Close it: it is not opened again for this canary."
)


def pull_request_text(story: Story) -> str:
    """The body of the pull request. Unverified says so in its first line."""
    story = story.redacted
    first, said = headline(story)
    parts = [first, *what_failed(story), *why(story)]
    if story.patch is not None:
        parts += ["## The change", prose(story.patch.why), _size(story.patch, story.links.patched)]
        parts += [BY_MODEL] if story.patch.by_model else []
        parts += what_a_pin_does(story.beside) if story.patch.is_pin else meanwhile(story.beside)
        parts += [*why_this_way(story.patch, story.tried), *on_merging(story.merging)]
    parts += [*proof(story), *unchecked(story, said), "## Risk, undoing, changing", _risk(story)]
    return _page([*parts, _footer(story)])


def issue_text(story: Story) -> str:
    """The analysis where there is no pull request; a diff that was tried is shown as text."""
    story = story.redacted
    reasons = [reason for reason in story.reasons if reason not in story.notes]
    parts = [f"**No pull request:** {prose('; '.join(reasons))}" if reasons else ""]
    if story.theirs is not None:
        parts = [f"**No pull request of ours:** {story.theirs} makes this change already. Review that one."]
    if story.earlier:
        parts += ["Merged before, and the rollout failed again:", "\n".join(f"- {url}" for url in story.earlier)]
    parts += [*what_failed(story), *why(story)]
    if story.patch is not None:
        parts += ["## The change that was tried", prose(story.patch.why), fence(story.patch.diff, "diff", DIFF_LINES)]
        parts += [BY_MODEL] if story.patch.by_model else []
    shown = story.patch.why if story.patch is not None else None
    parts += tried_before([one for one in story.tried if one.what != shown])
    parts += meanwhile(story.beside)
    return _page([*parts, *proof(story), *unchecked(story, tuple(reasons)), _footer(story)])


def _page(parts: list[str]) -> str:
    """The parts that find room, each whole so that no fence is left open, and the last one, the footer."""
    *others, footer = (part for part in parts if part)
    room = MOST_TEXT - len(footer)
    kept: list[str] = []
    for part in others:
        kept.append(part if len(part) <= room else LEFT_OUT)
        room -= len(kept[-1])
    return "\n\n".join([*kept, footer])


def _risk(story: Story) -> str:
    """What merging does and does not, and what a reviewer may do about it."""
    rows = []
    undoes = story.patch.undoes if story.patch else None
    if undoes is not None:
        what = commit(undoes, story.links.culprit if undoes == story.diagnosis.culprit_commit else None)
        rows.append(
            f"- It takes back what {what} did in the files above, wanted or not; everything else that the canary "
            "brought stays."
        )
    rows.append("- To undo it: revert this pull request. It changes nothing beside the files above.")
    if story.reviewers:
        known = ", ".join(f"{code(one.name)} ({prose(one.why)})" for one in story.reviewers)
        rows.append(f"- Who knows this code: {known}.")
    return "\n".join([*rows, TO_CHANGE])


def _footer(story: Story) -> str:
    bundle = story.bundle
    return f"<sub>Self-Healing Rollouts, incident {bundle.incident}, attempt {bundle.attempt}. A person decides.</sub>"


def _size(patch: Patch, page: str | None) -> str:
    files = ", ".join(code(change.path) for change in patch.changes)
    lines = patch.changed_lines
    made = f"{lines} changed line{'s' if lines != 1 else ''} in {files}"
    where = "the tip of the base branch" if patch.is_pin else "the canary's commit"
    return f"{made}, made on {where} {commit(patch.commit, page)}."
