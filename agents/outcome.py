"""How an attempt ends: a closed union, matched exhaustively, and `conclude`, which brings the ending about."""

from typing import Annotated, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agents.case import Case
from agents.changes import Repositories, Repository
from agents.errors import Conflict, Denied
from agents.evidence import Manifest
from agents.incident import State, branch_name
from agents.patch import EditRejected, FileChange, Patch, apply_edits
from agents.policy import Decision, Policy, RepositoryRule, decide, effective_mode
from agents.pull_request import Forge, LeftAlone, Proposed, Wanted, ensure, ensure_issue
from agents.report import Story, commit_message, issue_text, pull_request_text, title
from agents.verification import Verification


class Reported(BaseModel):
    """The analysis is all there is; `issue` is where a person finds it outside this service, if anywhere."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["reported"] = "reported"
    reasons: tuple[str, ...]
    issue: str | None = None


Outcome = Annotated[Proposed | LeftAlone | Reported, Field(discriminator="kind")]
OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)


def final_state(outcome: Outcome) -> tuple[State, str]:
    """The state that an outcome ends in, and the line that the timeline shows."""
    match outcome:
        case Proposed(pull_request=link, draft=draft):
            return State.PROPOSED, f"{'draft ' if draft else ''}pull request: {link.url}"
        case LeftAlone(pull_request=link, because=because):
            return State.REPORTED, f"left alone, {because} by a person: {link.url}"
        case Reported(reasons=reasons, issue=issue):
            where = f" ({issue})" if issue else ""
            return State.REPORTED, f"no pull request: {'; '.join(reasons)}{where}"
    assert_never(outcome)


async def conclude(
    bundle: Manifest,
    case: Case,
    patch: Patch | None,
    verification: Verification | None,
    *,
    repositories: Repositories,
    forge: Forge,
    policy: Policy,
) -> Outcome:
    """Publish what the policy allows: a pull request, else the analysis as an issue, else the reasons alone."""
    story = Story(bundle=bundle, diagnosis=case.diagnosis, patch=patch, verification=verification, notes=case.notes)
    if case.ground is None:
        return Reported(reasons=_why_no_patch(case))
    rule = policy.rule(case.ground.url)
    if rule is None:
        return Reported(reasons=(f"the policy has no entry for {case.ground.url}",))
    if patch is None or verification is None:
        return await _report(story, _why_no_patch(case), rule, case, forge)
    try:
        repository = await repositories.open(case.ground.url)
        base = rule.base or await forge.default_branch(case.ground.url)
        tip = await repository.resolve(f"refs/heads/{base}")
        final = await carry(patch, tip, repository)
    except (EditRejected, Denied) as error:
        return await _report(story, (f"the change cannot be made on the present code: {error}",), rule, case, forge)
    decision = Decision(action="report", reasons=(f"{base} does not have this fault any more",))
    if final.changes:
        decision = decide(final, verification, case.diagnosis.confidence, rule, effective_mode(rule, *case.modes))
    if decision.action == "report":
        return await _report(story, decision.reasons, rule, case, forge)
    if tip != patch.commit:
        note = f"the change on the tip of {base} ({tip[:12]}): what was tried is the canary's commit"
        story = story.model_copy(update={"notes": (note, *story.notes)})
    return await _propose(story, final.changes, decision, base, tip, forge)


async def carry(patch: Patch, tip: str, repository: Repository) -> Patch:
    """The same edits on another commit; no changes left where they are there already."""
    files: dict[str, str | None] = {}
    for change in patch.changes:
        found = await repository.read(tip, change.path)
        if found.status == "denied":
            raise Denied(found.reason or f"{change.path} cannot be read")
        files[change.path] = found.text if found.status == "ok" else None
    if all(files[change.path] == change.after for change in patch.changes):
        return patch.model_copy(update={"commit": tip, "changes": ()})
    return patch.model_copy(update={"commit": tip, "changes": apply_edits(files, patch.edits)})


def _why_no_patch(case: Case) -> tuple[str, ...]:
    if case.diagnosis.category == "unknown":
        why = "the cause is not known"
    elif case.diagnosis.strategy is None:
        why = f"nothing in Git to change: the cause is {case.diagnosis.category}"
    elif case.ground is None:
        why = "the repository that the fix belongs in is not known, or not allowed"
    else:
        why = "no part of the blamed change can be taken back by itself"
    return (why, *case.notes)


async def _propose(
    story: Story, changes: tuple[FileChange, ...], decision: Decision, base: str, tip: str, forge: Forge
) -> Outcome:
    if story.patch is None:
        raise Conflict("there is no patch to propose")
    wanted = Wanted(
        repository=story.patch.repository,
        incident=story.bundle.incident,
        branch=branch_name(story.bundle.rollout, story.bundle.incident),
        base=base,
        base_commit=tip,
        changes=changes,
        message=commit_message(story),
        title=title(story),
        text=pull_request_text(story),
        draft=decision.action == "draft",
    )
    try:
        return await ensure(wanted, forge)
    except Conflict as error:
        return Reported(reasons=(str(error),))


async def _report(story: Story, reasons: tuple[str, ...], rule: RepositoryRule, case: Case, forge: Forge) -> Reported:
    """The issue with the analysis; in mode `observe` nothing leaves the service."""
    if effective_mode(rule, *case.modes) == "observe" or case.ground is None:
        return Reported(reasons=reasons)
    story = story.model_copy(update={"reasons": reasons})
    issue = await ensure_issue(case.ground.url, story.bundle.incident, title(story), issue_text(story), forge)
    return Reported(reasons=reasons, issue=issue)
