"""What people read: the analysis as Markdown, and the text of the pull request. Pure.

Two minutes must do: what failed, why, the evidence, the change, red and green, what was not checked. Everything
that comes from logs or manifests is fenced or put in code spans whose delimiters it cannot close, so that it can
mention nobody and link nowhere.
"""

import re

from pydantic import BaseModel, ConfigDict

from agents.diagnosis import Diagnosis
from agents.evidence import Manifest, Version
from agents.patch import Patch
from agents.verification import Check, Verification

QUOTE_LINES = 30
LINE_WIDTH = 400


class Story(BaseModel):
    """All that a report tells."""

    model_config = ConfigDict(frozen=True)

    bundle: Manifest
    diagnosis: Diagnosis
    patch: Patch | None = None
    verification: Verification | None = None
    notes: tuple[str, ...] = ()
    """What was not looked at or not allowed, in the order that matters to the reader."""


def title(story: Story) -> str:
    """One line that names the rollout and the cause; for a pull request, the change."""
    where = story.diagnosis.location
    place = f" in {where.file}" if where else ""
    if story.patch is not None:
        verb = {"revert": "Revert the change that broke", "restore": "Restore the value that broke"}
        return _one_line(f"{verb.get(story.patch.strategy, 'Fix')} {story.bundle.rollout}{place}")
    return _one_line(f"Canary of {story.bundle.rollout} failed: {story.diagnosis.category} cause{place}")


def pull_request_text(story: Story) -> str:
    """The body of the pull request. Unverified says so in its first line."""
    parts = [_headline(story), *_what_failed(story), *_why(story)]
    if story.patch is not None:
        parts += [
            "## The change",
            _plain(story.patch.why),
            f"{_size(story.patch)}, made on `{story.patch.commit[:12]}`.",
        ]
    parts += [*_proof(story), *_unchecked(story), _footer(story)]
    return "\n\n".join(part for part in parts if part)


def issue_text(story: Story) -> str:
    """The analysis where there is no pull request; a diff that was tried is shown as text."""
    parts = [f"**No pull request: {_plain('; '.join(story.notes))}.**" if story.notes else ""]
    parts += [*_what_failed(story), *_why(story)]
    if story.patch is not None:
        parts += ["## A change that was tried", _plain(story.patch.why), fence(story.patch.diff, "diff")]
    parts += [*_proof(story), *_unchecked(story), _footer(story)]
    return "\n\n".join(part for part in parts if part)


def commit_message(story: Story) -> str:
    """Subject and body of the commit."""
    why = story.patch.why if story.patch else ""
    return f"{title(story)}\n\n{_plain(story.diagnosis.summary)}\n\n{why}\n"


def _headline(story: Story) -> str:
    verification = story.verification
    if verification is None or verification.verdict != "verified":
        reason = verification.unchecked[0] if verification and verification.unchecked else "nothing was run"
        return f"**Not verified: {_plain(reason)}**"
    return f"**Red before, green after** ({verification.kind}): {_plain(story.diagnosis.summary)}"


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
    parts = [
        "## Why",
        f"{_plain(diagnosis.summary)} (category {diagnosis.category}, confidence {diagnosis.confidence})",
    ]
    facts = []
    if diagnosis.location is not None:
        where = diagnosis.location
        line = f":{where.line}" if where.line else ""
        function = f" in {code(where.function)}" if where.function else ""
        facts.append(f"- Where: {code(where.file + line)}{function}")
    if diagnosis.culprit_commit is not None:
        facts.append(f"- Introduced by: {diagnosis.culprit_commit}")
    parts.append("\n".join(facts))
    for claim in diagnosis.claims:
        parts.append(f"{_plain(claim.text)}")
        parts += [f"{code(citation.ref)}\n\n{fence(citation.quote)}" for citation in claim.evidence]
    return parts


def _proof(story: Story) -> list[str]:
    verification = story.verification
    if verification is None:
        return []
    rows = [
        "| check | before | after |",
        "| --- | --- | --- |",
        f"| reproduction ({verification.kind}) | {_result(verification.before)} | {_result(verification.after)} |",
        f"| the repository's own tests | {_result(verification.tests_before)} | {_result(verification.tests_after)} |",
    ]
    parts = ["## Proof", "\n".join(rows)]
    for name, check in (("Before", verification.before), ("After", verification.after)):
        if check.result != "not_run":
            summary = f"{name}: {code(check.command)} ({_plain(check.reason or check.result)})"
            parts.append(f"{summary}\n\n{fence(check.output) if check.output.strip() else ''}".rstrip())
    return parts


def _result(check: Check) -> str:
    reason = f": {_cell(check.reason)}" if check.reason and check.result == "not_run" else ""
    return {"failed": "red", "passed": "green", "not_run": "not run"}[check.result] + reason


def _unchecked(story: Story) -> list[str]:
    verification = story.verification
    gaps = [
        f"{item.id}: {item.reason or item.status}"
        for item in story.bundle.items
        if item.status in {"denied", "failed", "gone"}
    ]
    lines = [*(verification.unchecked if verification else ()), *story.notes, *gaps]
    if not lines:
        return ["## Not checked", "Whether the next canary is healthy: only a new canary shows that."]
    rows = [f"- {_plain(line)}" for line in dict.fromkeys(lines)]
    return [
        "## Not checked",
        "\n".join([*rows, "- Whether the next canary is healthy: only a new canary shows that."]),
    ]


def _footer(story: Story) -> str:
    bundle = story.bundle
    return f"<sub>Self-Healing Rollouts, incident {bundle.incident}, attempt {bundle.attempt}. A person decides.</sub>"


def _size(patch: Patch) -> str:
    files = len(patch.changes)
    return f"{files} file{'s' if files != 1 else ''}, {patch.changed_lines} changed lines"


def _commit(version: Version) -> str:
    if version.commit is None or not re.fullmatch(r"[0-9a-f]{40}", version.commit):
        return ", whose commit is not known"
    how = f" (by {_plain(version.found_by)}, confidence {version.confidence})" if version.found_by else ""
    return f" at {version.commit}{how}"


def fence(text: str, language: str = "") -> str:
    """A fenced block that its content cannot end; long lines and long texts are cut, and say so."""
    lines = text.rstrip("\n").split("\n")
    if not language and len(lines) > QUOTE_LINES:
        left_out = len(lines) - QUOTE_LINES
        lines = [*lines[: QUOTE_LINES // 2], f"[... {left_out} lines ...]", *lines[-QUOTE_LINES // 2 :]]
    cut = [line if len(line) <= LINE_WIDTH else f"{line[:LINE_WIDTH]} [... cut]" for line in lines]
    body = "\n".join(cut).replace("\r", "")
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{body}\n{ticks}"


def code(text: str) -> str:
    """A code span that its content cannot end."""
    flat = " ".join(text.split())[:LINE_WIDTH]
    longest = max((len(run) for run in re.findall(r"`+", flat)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{ticks}{pad}{flat}{pad}{ticks}" if flat else "``"


def _plain(text: str) -> str:
    """One line of prose in which markup, mentions, references and links are only characters."""
    flat = " ".join(text.split())[:LINE_WIDTH]
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    flat = re.sub(r"([\\`*_\[\]!|~#])", r"\\\1", flat)
    flat = re.sub(r"(?i)\b(https?|ftp)://", r"\1&#58;//", flat)
    flat = re.sub(r"(?i)\bwww\.", "www&#46;", flat)
    return flat.replace("@", "@&#8203;")


def _cell(text: str) -> str:
    return _plain(text).replace("\n", " ")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:120].replace("@", "@\u200b")
