"""Publishing a fix: decided on the tip of the base branch, and proposed unless somebody makes the same change."""

import asyncio
from dataclasses import dataclass

from agents.carrying import carry
from agents.case import Case, background_of, model_terms
from agents.changes import Repository, manifest_changes, read_manifests
from agents.errors import Denied
from agents.fix import Ground
from agents.incident import branch_name
from agents.patch import EditRejected, Patch
from agents.policy import STRICTEST, Decision, RepositoryRule, decide, effective_mode
from agents.proposing import Mended, Withheld, is_open, refuse_a_second, refuse_too_many, twin_of
from agents.pull_request import (
    INCIDENT_TRAILER,
    Forge,
    Joined,
    LeftAlone,
    Proposed,
    PullRequestLink,
    Record,
    Wanted,
    Within,
    attempts_within,
    ensure,
    fix_key,
    fixes_of,
    incident_of,
    join,
    same_fix,
)
from agents.remarks import Merging
from agents.report import Story, commit_message, one_line, pull_request_text, title, who_failed
from agents.strategies.restarting import effect_of, is_of_manifests, retry_command
from agents.telling import with_customs
from agents.verification import Verification


@dataclass(frozen=True)
class Publisher:
    """A fix and all that its pull request depends on."""

    patch: Patch
    verification: Verification
    case: Case
    ground: Ground
    rule: RepositoryRule
    repository: Repository
    forge: Forge

    async def propose(self, story: Story) -> Proposed | Joined | LeftAlone:
        """The pull request, unless another incident's makes the same change, or there are enough of ours already.

        `Withheld` where none is made: the policy or the forge will not have it, or a person is needed.
        """
        try:
            wanted, final, story = await self._decide(story)
        except Mended as mended:
            return await self._mended_by_us(mended, story)
        try:
            ours = await self.forge.our_pull_requests(wanted.repository)
            twin = twin_of(wanted, ours)
            if twin is not None:
                return await join(wanted.repository, twin, wanted.incident, one_line(story), self.forge)
            merged = tuple(one for one in ours if one.state == "merged")
            failed = await self._failed_fixes(merged)
            if failed.number >= self.rule.max_attempts:
                raise Withheld(
                    f"this canary holds {failed.number} merged fixes of this service already and failed again: "
                    "a person has to look, and no further fix is proposed",
                    earlier=tuple(record.url for record in failed.known),
                )
            refuse_too_many(wanted, ours, self.rule.max_open)
            if not is_open(wanted, ours):
                await refuse_a_second(wanted.repository, wanted.base, final, self.forge)
            return await ensure(wanted, self.forge)
        except Denied as error:
            raise Withheld(f"the forge refuses the pull request: {error}") from error

    async def _decide(self, story: Story) -> tuple[Wanted, Patch, Story]:
        """The pull request as the policy allows it, on the tip of the base branch; `Withheld` where it does not."""
        patch, case, rule, repository = self.patch, self.case, self.rule, self.repository
        verification = self.verification
        try:
            base = rule.base or await self.forge.default_branch(patch.repository)
            tip = await repository.resolve(f"refs/heads/{base}")
            on_base = verification.base if verification.base and verification.base.commit == tip else None
            final = await carry(patch, tip, repository) if on_base is None or on_base.verdict != "healthy" else None
        except EditRejected as error:
            why = f"{error.path} is not on {base} what it was in the canary, and the change does not fit there"
            raise Withheld(why) from error
        except Denied as error:
            raise Withheld(f"the change cannot be made on {base}: {error}") from error
        if final is None or not final.changes:
            why = f"{base} does not have this fault any more: a canary of {tip[:12]} would show it"
            raise Mended(why, fix_key(base, patch.undoes or await repository.patch_id(patch.diff)))
        verification = verification.overall
        terms = await model_terms(repository, tip) if final.by_model else STRICTEST
        mode = effective_mode(rule, *case.modes)
        paths = [change.path for change in final.changes]
        background = await background_of(paths, case.diagnosis, self.ground, repository)
        decision = decide(final, verification, case.diagnosis.confidence, rule, mode, terms, background)
        if decision.action == "report":
            raise Withheld(*decision.reasons)
        notes = story.notes
        if on_base is None and tip != patch.commit:
            notes = (f"the change on the tip of {base} ({tip[:12]}): what was tried is the canary's commit", *notes)
        merging = await merging_of(final, case, repository)
        story = story.model_copy(update={"notes": notes, "verification": verification, "merging": merging})
        story = await with_customs(story, final, rule, repository, self.forge)
        change = patch.undoes or await repository.patch_id(final.diff)
        return self._wanted(story, final, decision, base, fix_key(base, change)), final, story

    def _wanted(self, story: Story, final: Patch, decision: Decision, base: str, fix: str) -> Wanted:
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
            labels=self.rule.labels,
            reviewers=tuple(one.name for one in story.reviewers),
        )

    async def _mended_by_us(self, mended: Mended, story: Story) -> Joined | LeftAlone:
        """Where it was a pull request of ours that put it right, the incident belongs there; else `Mended` again."""
        url, incident = self.patch.repository, story.bundle.incident
        try:
            ours = await self.forge.our_pull_requests(url)
            merged = tuple(one for one in fixes_of(ours) if one.state == "merged")
            own = next((one for one in merged if incident_of(one.body) == incident), None)
            if own is not None:
                link = PullRequestLink(url=own.url, branch=own.branch or "", base=own.base or "")
                return LeftAlone(pull_request=link, because="merged")
            twin = same_fix(merged, mended.fix, incident)
            if twin is not None:
                return await join(url, twin, incident, one_line(story), self.forge)
        except Denied as error:
            raise Withheld(*mended.reasons, f"the forge does not tell which pull request did it: {error}") from error
        raise mended

    async def _failed_fixes(self, merged: tuple[Record, ...]) -> Within:
        """The merged fixes of ours that the canary has and the stable version has not: each failed to heal."""
        stable, canary = self.ground.stable, self.ground.canary
        commits = await self.repository.commits(stable, canary)
        messages = await self.repository.messages_with(stable, canary, INCIDENT_TRAILER)
        return attempts_within(messages, merged, frozenset(commit.sha for commit in commits))


async def merging_of(final: Patch, case: Case, repository: Repository) -> Merging | None:
    """What merging a change of the manifests sets off; None for other changes, or where they cannot be read."""
    manifests, seen = case.manifests, case.watched
    if manifests is None or seen is None or final.repository != manifests.repo:
        return None
    before = await read_manifests(repository, final.commit, manifests)
    if not is_of_manifests(final, before):
        return None
    after = dict(before)
    for change in final.changes:
        after.pop(change.path, None)
        if change.after is not None:
            after[change.path] = change.after
    stable = await read_manifests(repository, await repository.resolve(manifests.stable), manifests)
    changed = await asyncio.to_thread(manifest_changes, before, after)
    left = await asyncio.to_thread(manifest_changes, stable, after)
    return Merging(effect=effect_of(changed, left, after, seen), retry=retry_command(seen))
