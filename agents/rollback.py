"""The pull request that sets the GitOps repository back to the stable version: alone, or beside the one that fixes.

Each names the other. The fix is made first, then the pin, then the fix is told of it; where a run is cut in between,
the next one finds what is there by its branch and goes on.
"""

from dataclasses import dataclass

from agents.case import Case
from agents.changes import Repository
from agents.errors import Conflict, Denied
from agents.evidence import Manifest
from agents.incident import pin_branch_name
from agents.pinning import Pin
from agents.policy import Decision, RepositoryRule, decide, effective_mode
from agents.proposing import Withheld, is_open, refuse_a_second, refuse_too_many, too_many, twin_of
from agents.pull_request import (
    Forge,
    Joined,
    LeftAlone,
    Proposed,
    PullRequestLink,
    Record,
    Wanted,
    ensure,
    fix_key,
    join,
)
from agents.remarks import Beside, Merging
from agents.report import Story, commit_message, one_line, pull_request_text, title, who_failed
from agents.telling import with_customs, with_pages

NEEDLESS = "<!-- selfheal pin not needed -->"


@dataclass(frozen=True)
class Rollback:
    """A pin that can be proposed, and the rule of the repository that it is for."""

    pin: Pin
    base: str
    rule: RepositoryRule
    repository: Repository
    forge: Forge

    @property
    def url(self) -> str:
        return self.pin.patch.repository

    async def foresee(self, bundle: Manifest, case: Case) -> Beside | None:
        """Where the pin stands already, or why there will be none; None where it is still to be made."""
        found = await self._standing(bundle)
        if found is not None:
            return Beside(url=found.url) if found.state == "open" else Beside(reason=_ended(found.url, found.state))
        decision = self._decide(case)
        if decision.action == "report":
            return Beside(reason="; ".join(decision.reasons))
        ours = await self.forge.our_pull_requests(self.url)
        taken = sum(1 for one in ours if one.state == "open")
        if taken >= self.rule.max_open:
            return Beside(reason=too_many(taken, self.rule.max_open))
        try:
            await refuse_a_second(self.url, self.base, self.pin.patch, self.forge)
        except Withheld as held:
            return Beside(reason=str(held))
        return None

    async def _standing(self, bundle: Manifest) -> Record | None:
        return await self.forge.find_pull_request(self.url, pin_branch_name(bundle.rollout, bundle.incident))

    def _decide(self, case: Case) -> Decision:
        mode = effective_mode(self.rule, *case.modes)
        return decide(self.pin.patch, self.pin.verification, case.diagnosis.confidence, self.rule, mode)

    async def stand(self, story: Story, case: Case, beside: str | None) -> tuple[PullRequestLink | None, Beside | None]:
        """The pull request as in `offer`, and what a fix says of it: where it is, or why there is none."""
        try:
            offered = await self.offer(story, case, beside)
        except Withheld as held:
            return None, Beside(reason=str(held))
        if isinstance(offered, LeftAlone) and offered.because != "edited":
            return None, Beside(reason=_ended(offered.pull_request.url, offered.because))
        return offered.pull_request, Beside(url=offered.pull_request.url)

    async def offer(self, story: Story, case: Case, beside: str | None) -> Proposed | Joined | LeftAlone:
        """The pull request, which names the one `beside` it; `Withheld` where policy or forge have none of it."""
        pin = self.pin
        decision = self._decide(case)
        if decision.action == "report":
            raise Withheld(*decision.reasons)
        story = story.model_copy(
            update={
                "patch": pin.patch,
                "verification": pin.verification,
                "beside": Beside(url=beside),
                "merging": Merging(effect=pin.effect, retry=""),
                "reasons": (),
            }
        )
        story = await with_pages(story, case, self.forge)
        story = await with_customs(story, pin.patch, self.rule, self.repository, self.forge)
        wanted = Wanted(
            repository=self.url,
            incident=story.bundle.incident,
            branch=pin_branch_name(story.bundle.rollout, story.bundle.incident),
            base=self.base,
            base_commit=pin.patch.commit,
            changes=pin.patch.changes,
            message=commit_message(story),
            title=title(story),
            text=pull_request_text(story),
            draft=decision.action == "draft",
            fix=fix_key(self.base, f"pin {await self.repository.patch_id(pin.patch.diff)}"),
            is_pin=True,
            who=who_failed(story),
            labels=self.rule.labels,
            reviewers=tuple(one.name for one in story.reviewers),
        )
        try:
            ours = await self.forge.our_pull_requests(self.url)
            twin = twin_of(wanted, ours)
            if twin is not None:
                return await join(self.url, twin, wanted.incident, one_line(story), self.forge)
            refuse_too_many(wanted, ours, self.rule.max_open)
            if not is_open(wanted, ours):
                await refuse_a_second(self.url, self.base, pin.patch, self.forge)
            return await ensure(wanted, self.forge)
        except (Denied, Conflict) as error:
            raise Withheld(f"the forge refuses the pull request: {error}") from error

    async def call_off(self, bundle: Manifest, fix: str) -> None:
        """Say once on an open pin that the merged `fix` makes it needless."""
        found = await self._standing(bundle)
        if found is None or found.state != "open":
            return
        said = await self.forge.comments(self.url, found.number)
        if not any(NEEDLESS in one.body.splitlines() for one in said):
            text = f"Not needed any more once {fix}, which is merged, is deployed: close this then.\n\n{NEEDLESS}\n"
            await self.forge.create_comment(self.url, found.number, text)


def _ended(url: str, how: str) -> str:
    return f"{url} was {how} by a person"
