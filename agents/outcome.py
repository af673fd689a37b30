"""How an attempt ends: a closed union, matched exhaustively, and `conclude`, which brings the ending about."""

from typing import Annotated, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agents.carrying import carry
from agents.case import Case, background_of, model_terms
from agents.changes import Repositories, Repository
from agents.errors import Conflict, Denied, SelfhealError
from agents.evidence import Manifest
from agents.fix import Ground
from agents.incident import State, branch_name
from agents.patch import EditRejected, Patch
from agents.policy import STRICTEST, Decision, Policy, RepositoryRule, decide, effective_mode
from agents.pull_request import (
    INCIDENT_TRAILER,
    Forge,
    Joined,
    LeftAlone,
    Proposed,
    Record,
    Wanted,
    WantedIssue,
    attempts_within,
    ensure,
    ensure_issue,
    fix_key,
    incident_of,
    join,
    same_fix,
)
from agents.report import (
    Story,
    again_line,
    commit_message,
    issue_text,
    one_line,
    pull_request_text,
    title,
    who_failed,
)
from agents.telling import cause_key, with_customs, with_pages
from agents.verification import Verification


class Reported(BaseModel):
    """The analysis is all there is; `issue` is where a person finds it outside this service, if anywhere."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["reported"] = "reported"
    reasons: tuple[str, ...]
    issue: str | None = None
    repository: str | None = None
    """The repository that the issue is in."""


Outcome = Annotated[Proposed | Joined | LeftAlone | Reported, Field(discriminator="kind")]
OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)


def final_state(outcome: Outcome) -> tuple[State, str]:
    """The state that an outcome ends in, and the line that the timeline shows."""
    match outcome:
        case Proposed(pull_request=link, draft=draft):
            return State.PROPOSED, f"{'draft ' if draft else ''}pull request: {link.url}"
        case Joined(pull_request=link, state=state):
            return State.PROPOSED, f"joins the {state} pull request that makes the same change: {link.url}"
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
    told = {"bundle": bundle, "diagnosis": case.diagnosis, "failing": case.failing, "notes": case.notes}
    story = await with_pages(Story(**told, patch=patch, verification=verification), case, forge)
    where = case.ground.url if case.ground else case.home
    if where is None:
        return Reported(reasons=_why_no_patch(case))
    rule = policy.rule(where)
    if rule is None:
        return Reported(reasons=(f"the policy has no entry for {where}",))
    if case.ground is None or patch is None or verification is None:
        return await _report(story, _why_no_patch(case), rule, case, forge)
    return await _publish(story, patch, verification, case, rule, await repositories.open(case.ground.url), forge)


async def _publish(
    story: Story,
    patch: Patch,
    verification: Verification,
    case: Case,
    rule: RepositoryRule,
    repository: Repository,
    forge: Forge,
) -> Outcome:
    try:
        wanted, story = await _decide(story, patch, verification, case, rule, repository, forge)
        return await _propose(wanted, story, rule, Ground.model_validate(case.ground), repository, forge)
    except _Withheld as held:
        return await _report(story, held.reasons, rule, case, forge)
    except Conflict as error:
        return Reported(reasons=(str(error),))
    except Denied as error:
        return await _report(story, (str(error),), rule, case, forge)


async def _decide(
    story: Story,
    patch: Patch,
    verification: Verification,
    case: Case,
    rule: RepositoryRule,
    repository: Repository,
    forge: Forge,
) -> tuple[Wanted, Story]:
    """The pull request as the policy allows it, on the tip of the base branch; `_Withheld` where it does not."""
    try:
        base = rule.base or await forge.default_branch(patch.repository)
        tip = await repository.resolve(f"refs/heads/{base}")
        on_base = verification.base if verification.base and verification.base.commit == tip else None
        final = await carry(patch, tip, repository) if on_base is None or on_base.verdict != "healthy" else None
    except EditRejected as error:
        why = f"{error.path} is not on {base} what it was in the canary, and the change does not fit there"
        raise _Withheld(why) from error
    except Denied as error:
        raise _Withheld(f"the change cannot be made on {base}: {error}") from error
    if final is None or not final.changes:
        raise _Withheld(f"{base} does not have this fault any more: a canary of {tip[:12]} would show it")
    verification = verification.overall
    terms = await model_terms(repository, tip) if final.by_model else STRICTEST
    mode = effective_mode(rule, *case.modes)
    paths = [change.path for change in final.changes]
    background = await background_of(paths, case.diagnosis, Ground.model_validate(case.ground), repository)
    decision = decide(final, verification, case.diagnosis.confidence, rule, mode, terms, background)
    if decision.action == "report":
        raise _Withheld(*decision.reasons)
    notes = story.notes
    if on_base is None and tip != patch.commit:
        notes = (f"the change on the tip of {base} ({tip[:12]}): what was tried is the canary's commit", *notes)
    story = story.model_copy(update={"notes": notes, "verification": verification})
    story = await with_customs(story, final, rule, repository, forge)
    change = patch.undoes or await repository.patch_id(final.diff)
    return _wanted(story, final, decision, base, fix_key(base, change), rule.labels), story


def _why_no_patch(case: Case) -> tuple[str, ...]:
    if case.diagnosis.category == "unknown":
        why = "the cause is not known"
    elif case.diagnosis.strategy is None and case.diagnosis.category in {"code", "config"}:
        why = f"the cause is {case.diagnosis.category}, but no change is known to have done it"
    elif case.diagnosis.strategy is None:
        why = f"nothing in Git to change: the cause is {case.diagnosis.category}"
    elif case.ground is None:
        why = "the repository that the fix belongs in is not known, or not allowed"
    else:
        why = "no part of the blamed change can be taken back by itself"
    return (why, *case.notes)


class _Withheld(SelfhealError):
    """The pull request is not made after all."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def _wanted(story: Story, final: Patch, decision: Decision, base: str, fix: str, labels: tuple[str, ...]) -> Wanted:
    return Wanted(
        repository=final.repository,
        incident=story.bundle.incident,
        branch=branch_name(story.bundle.rollout, story.bundle.incident),
        base=base,
        base_commit=final.commit,
        changes=final.changes,
        message=commit_message(story),
        title=title(story),
        text=pull_request_text(story),
        draft=decision.action == "draft",
        fix=fix,
        who=who_failed(story),
        labels=labels,
        reviewers=tuple(one.name for one in story.reviewers),
    )


async def _propose(
    wanted: Wanted, story: Story, rule: RepositoryRule, ground: Ground, repository: Repository, forge: Forge
) -> Outcome:
    """The pull request, unless another incident's makes the same change, or there are enough of ours already.

    `_Withheld` where none is made: the forge will not have it (a permission, a rule, a plan), or a person is needed.
    """
    try:
        ours = await forge.our_pull_requests(wanted.repository)
        is_ours = any(one.state == "open" and incident_of(one.body) == wanted.incident for one in ours)
        twin = None if is_ours else same_fix(ours, wanted.fix, wanted.incident)
        if twin is not None:
            return await join(wanted.repository, twin, wanted.incident, one_line(story), forge)
        merged = tuple(one for one in ours if one.state == "merged")
        failed = await _failed_fixes(merged, ground, repository)
        if failed >= rule.max_attempts:
            raise _Withheld(
                f"this canary holds {failed} merged fixes of this service already and failed again: "
                "a person has to look, and no further fix is proposed"
            )
        others = [one for one in ours if one.state == "open" and incident_of(one.body) != wanted.incident]
        if not is_ours and len(others) >= rule.max_open:
            raise _Withheld(
                f"{len(others)} pull requests of this service are open in this repository, "
                f"and the policy allows {rule.max_open}: merge or close one, then retry"
            )
        return await ensure(wanted, forge)
    except Denied as error:
        raise _Withheld(f"the forge refuses the pull request: {error}") from error


async def _failed_fixes(merged: tuple[Record, ...], ground: Ground, repository: Repository) -> int:
    """How many merged fixes of ours the canary has and the stable version has not: each was tried, and did not heal."""
    commits = await repository.commits(ground.stable, ground.canary)
    messages = await repository.messages_with(ground.stable, ground.canary, INCIDENT_TRAILER)
    return attempts_within(messages, merged, frozenset(commit.sha for commit in commits))


async def _report(story: Story, reasons: tuple[str, ...], rule: RepositoryRule, case: Case, forge: Forge) -> Reported:
    """The issue with the analysis, where somebody is to be told; in mode `observe` nothing leaves the service."""
    where = case.ground.url if case.ground else case.home
    if effective_mode(rule, *case.modes) == "observe" or case.home is None or where is None:
        return Reported(reasons=reasons)
    story = story.model_copy(update={"reasons": reasons})
    try:
        issue = await ensure_issue(_wanted_issue(where, story, case), forge)
    except Denied as error:
        return Reported(reasons=(*reasons, f"the forge refuses the issue: {error}"))
    return Reported(reasons=reasons, issue=issue, repository=where)


def _wanted_issue(where: str, story: Story, case: Case) -> WantedIssue:
    return WantedIssue(
        repository=where,
        incident=story.bundle.incident,
        attempt=story.bundle.attempt,
        cause=cause_key(story.bundle, case),
        title=title(story),
        text=issue_text(story),
        line=again_line(story),
    )
