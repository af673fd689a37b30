"""A model writes a fix: search and replace on the ground of the diagnosis, tried in the sandbox before it counts.

Its patch goes the way of every other: the verification and the policy decide. Where it writes none, the note says why
and the rules' candidates come next.
"""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ModelCallLimitMiddleware,
    ModelRefusalMiddleware,
    ToolCallLimitMiddleware,
    ToolErrorMiddleware,
)
from langchain.agents.structured_output import ToolStrategy
from pydantic import BaseModel, Field

from agents.briefing import fix_of
from agents.budget import Cost, Meter, Models
from agents.case import Case
from agents.changes import Repositories
from agents.conversation import MOST_TOOL_CALLS, converse
from agents.draft import Draft, Guard
from agents.errors import Denied, SelfhealError
from agents.evidence import Bundle
from agents.fix import Ground
from agents.patch import Patch
from agents.tools import Place, Sources, Trial, Verify, Workbench, fixing_tools, open_place, sources_of, told
from agents.verification import Verification
from prompts import plain, render


class Fix(BaseModel):
    """Hand the changes over. Call this once, when they are made and the verification is green."""

    why: str = Field(
        min_length=1, max_length=300, description="One sentence for the reviewer: what the change does, and why so"
    )


class NoFix(BaseModel):
    """Give up: no change of this repository would remove the failure."""

    reason: str = Field(min_length=1, max_length=300)


async def write_fix(
    case: Case,
    bundle: Bundle,
    repositories: Repositories,
    models: Models,
    *,
    guard: Guard,
    verify: Verify,
    refuted: tuple[Patch, Verification] | None,
    spent: Cost,
) -> Draft:
    """Ask the model for one patch; never fails for its sake."""
    meter = Meter(models.limits, spent)
    try:
        patch = await _ask(case, bundle, repositories, models, meter, guard, verify, refuted)
    except SelfhealError as error:
        return Draft(patch=None, note=f"the model {models.name} wrote no fix: {error}", cost=meter.cost)
    return Draft(patch=patch, note=None, cost=meter.cost)


async def _ask(
    case: Case,
    bundle: Bundle,
    repositories: Repositories,
    models: Models,
    meter: Meter,
    guard: Guard,
    verify: Verify,
    refuted: tuple[Patch, Verification] | None,
) -> Patch:
    if case.ground is None:
        raise Denied("the repository that the fix belongs in is not known")
    sources, place = await _sources(case, case.ground, bundle, repositories)
    ground = case.ground.model_copy(update={"canary": place.canary})
    bench = Workbench(ground, place.repository, guard.path, sources.redactor)
    trial = Trial(bench, verify, sources.redactor)

    def written(where: Place, path: str) -> str | None:
        return bench.text_of(path) if where is place else None

    values = await fix_of(case, bundle, place, sources, refuted)
    calls = max(1, meter.calls_left)
    prompt = render("fix", **values, calls=calls, answer=Fix.__name__, abstain=NoFix.__name__)
    middleware: list[AgentMiddleware[Any, Any, Any]] = [
        ModelCallLimitMiddleware(run_limit=max(1, calls - 1), exit_behavior="end"),
        ToolCallLimitMiddleware(run_limit=MOST_TOOL_CALLS),
        ToolErrorMiddleware(on_error=lambda error, _request: told(error)),
        ModelRefusalMiddleware(),
    ]
    agent = create_agent(
        models.chat(),
        fixing_tools(sources, bench, written, trial),
        system_prompt=prompt.system,
        middleware=middleware,
        response_format=ToolStrategy(Fix | NoFix),
    )

    async def find_fault(answer: Fix | NoFix) -> str | None:
        if isinstance(answer, NoFix):
            return None
        patch = bench.patch(answer.why)
        if not patch.changes:
            return "You have changed nothing. Change the files, or give up."
        if refuted is not None and patch.changes == refuted[0].changes:
            return "This is the change that did not pass the verification. Write another one, or give up."
        return "; ".join(guard.diff(patch)) or None

    task = sources.redactor.redact_text(prompt.task)
    answer = await converse(agent, task, meter, find_fault)
    if isinstance(answer, NoFix):
        raise Denied(f"it gives up: {_line(answer.reason)}")
    return bench.patch(_line(answer.why))


async def _sources(case: Case, ground: Ground, bundle: Bundle, repositories: Repositories) -> tuple[Sources, Place]:
    """What the model may see, and the place in it where the fix goes."""
    repository = await repositories.open(ground.url)
    in_manifests = case.diagnosis.repository == "manifests"
    place = await open_place(repository, ground.stable, ground.canary, case.manifests if in_manifests else None)
    if place is None:
        raise Denied("the canary's commit is not in the repository that the fix belongs in")
    if in_manifests:
        source = None
        if case.program is not None:
            opened = await repositories.open(case.program.url)
            source = await open_place(opened, bundle.manifest.stable.commit, case.program.commit)
        return sources_of(bundle, source, place), place
    return sources_of(bundle, place, None), place


def _line(text: str) -> str:
    return " ".join(plain(text).split())
