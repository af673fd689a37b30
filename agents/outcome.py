"""How an attempt ends: a closed union, matched exhaustively, and `conclude`, which brings the ending about."""

from typing import Annotated, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agents.case import Case
from agents.changes import Repositories
from agents.errors import Conflict, Denied
from agents.evidence import Manifest
from agents.incident import State
from agents.patch import Patch
from agents.pinning import Unpinned
from agents.policy import Policy, RepositoryRule, effective_mode
from agents.proposing import Withheld
from agents.publishing import Publisher
from agents.pull_request import Forge, Joined, LeftAlone, Proposed, PullRequestLink, WantedIssue, ensure_issue
from agents.remarks import Beside
from agents.report import Story, again_line, issue_text, title
from agents.rollback import Rollback
from agents.telling import cause_key, with_pages
from agents.verification import Verification


class Reported(BaseModel):
    """The analysis is all there is; `issue` is where a person finds it outside this service, if anywhere."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["reported"] = "reported"
    reasons: tuple[str, ...]
    issue: str | None = None
    repository: str | None = None
    """The repository that the issue is in."""
    pin: PullRequestLink | None = None
    """The pull request that sets the GitOps repository back to the stable version."""


Outcome = Annotated[Proposed | Joined | LeftAlone | Reported, Field(discriminator="kind")]
OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)


def final_state(outcome: Outcome) -> tuple[State, str]:
    """The state that an outcome ends in, and the line that the timeline shows."""
    pin = f"; back to the stable version meanwhile: {outcome.pin.url}" if outcome.pin else ""
    match outcome:
        case Proposed(pull_request=link, draft=draft):
            return State.PROPOSED, f"{'draft ' if draft else ''}pull request: {link.url}{pin}"
        case Joined(pull_request=link, state=state):
            return State.PROPOSED, f"joins the {state} pull request that makes the same change: {link.url}{pin}"
        case LeftAlone(pull_request=link, because=because):
            return State.REPORTED, f"left alone, {because} by a person: {link.url}{pin}"
        case Reported(reasons=reasons, issue=issue):
            where = f" ({issue})" if issue else ""
            return State.REPORTED, f"no pull request: {'; '.join(reasons)}{where}{pin}"
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
    rollback: Rollback | Unpinned | None = None,
) -> Outcome:
    """Publish what the policy allows: a pull request, else the analysis as an issue, else the reasons alone.

    `rollback` is the pin to the stable version that goes beside it, or why there is none. A patch that is a pin is the
    last that could be done: then there is no issue, unless that is withheld, too.
    """
    story = Story(
        bundle=bundle,
        diagnosis=case.diagnosis,
        failing=case.failing,
        patch=patch,
        verification=verification,
        notes=case.notes,
        tried=case.tried,
    )
    where = case.ground.url if case.ground else case.home
    if where is not None and policy.rule(where) is not None:
        story = await with_pages(story, case, forge)
    if patch is not None and patch.is_pin:
        try:
            return await _roll_back(story, case, rollback)
        except Withheld as held:
            reasons = (*_why_no_patch(case), f"the stable version is not pinned: {held}")
            story = story.model_copy(update={"patch": None, "verification": None})
            return await _report_somewhere(story, reasons, case, policy, forge)
    if case.ground is None or patch is None or verification is None:
        return await _report_somewhere(story, _why_no_patch(case), case, policy, forge)
    rule = policy.rule(case.ground.url)
    if rule is None:
        return Reported(reasons=(f"the policy has no entry for {case.ground.url}",))
    repository = await repositories.open(case.ground.url)
    publisher = Publisher(patch, verification, case, case.ground, rule, repository, forge)
    return await _publish(story, publisher, rollback)


async def _roll_back(story: Story, case: Case, rollback: Rollback | Unpinned | None) -> Outcome:
    if not isinstance(rollback, Rollback):
        raise Withheld(rollback.reason if rollback else "the GitOps repository is not known, or not allowed")
    return await rollback.offer(story, case, None)


async def _publish(story: Story, publisher: Publisher, rollback: Rollback | Unpinned | None) -> Outcome:
    """The fix, the pin beside it, and the fix again where it did not name the pin yet; else analysis and pin."""
    case = publisher.case
    foreseen = await _foreseen(rollback, story, case)
    story = story.model_copy(update={"beside": foreseen})
    try:
        outcome = await publisher.propose(story)
    except Conflict as error:
        return Reported(reasons=(str(error),))
    except (Withheld, Denied) as held:
        reasons = held.reasons if isinstance(held, Withheld) else (str(held),)
        if isinstance(held, Withheld):
            story = story.model_copy(update={"theirs": held.theirs, "earlier": held.earlier})
        return await _report_beside(story, reasons, publisher, rollback)
    if not isinstance(rollback, Rollback):
        return outcome
    joined_merged = isinstance(outcome, Joined) and outcome.state == "merged"
    own_merged = isinstance(outcome, LeftAlone) and outcome.because == "merged"
    if joined_merged or own_merged:
        await rollback.call_off(story.bundle, outcome.pull_request.url)
        return outcome
    if isinstance(outcome, LeftAlone) and outcome.because == "closed":
        return outcome
    link, beside = await rollback.stand(story, case, outcome.pull_request.url)
    if isinstance(outcome, Proposed) and beside != foreseen:
        outcome = await publisher.propose(story.model_copy(update={"beside": beside}))
    return outcome.model_copy(update={"pin": link})


async def _foreseen(rollback: Rollback | Unpinned | None, story: Story, case: Case) -> Beside | None:
    """What a fix can say of the pin before it is made: where it stands, or why there will be none."""
    if isinstance(rollback, Rollback):
        return await rollback.foresee(story.bundle, case)
    return Beside(reason=rollback.reason) if rollback is not None and not rollback.is_done else None


async def _report_beside(
    story: Story, reasons: tuple[str, ...], publisher: Publisher, rollback: Rollback | Unpinned | None
) -> Reported:
    """The analysis, and the pin beside it: an issue is not reworded, so the pin is made first, and told of it after."""
    case, forge = publisher.case, publisher.forge
    if not isinstance(rollback, Rollback):
        return await _report(story, reasons, publisher.rule, case, forge)
    issue = await forge.find_issue(publisher.ground.url, story.bundle.incident, cause_key(story.bundle, case))
    link, beside = await rollback.stand(story, case, issue.url if issue else None)
    reported = await _report(story.model_copy(update={"beside": beside}), reasons, publisher.rule, case, forge)
    if link is not None and reported.issue is not None and issue is None:
        await rollback.stand(story, case, reported.issue)
    return reported.model_copy(update={"pin": link})


async def _report_somewhere(
    story: Story, reasons: tuple[str, ...], case: Case, policy: Policy, forge: Forge
) -> Reported:
    """The analysis where there is no fix: where one would belong, else where the cause would be looked into."""
    where = case.ground.url if case.ground else case.home
    if where is None:
        return Reported(reasons=reasons)
    rule = policy.rule(where)
    if rule is None:
        return Reported(reasons=(f"the policy has no entry for {where}",))
    return await _report(story, reasons, rule, case, forge)


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
