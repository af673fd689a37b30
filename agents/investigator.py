"""A model investigates: it starts from the findings, looks further with read-only tools, and answers in a type.

Its answer is checked, not trusted. A claim whose citation does not hold is removed; a file, function or commit that
does not exist is rejected; where the model is of no use the rules' diagnosis stands, with a note that says so.
"""

from typing import Any, Literal

from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ModelCallLimitMiddleware,
    ModelRefusalMiddleware,
    ToolCallLimitMiddleware,
    ToolErrorMiddleware,
)
from langchain.agents.structured_output import ToolStrategy
from pydantic import BaseModel, ConfigDict, Field

from agents.briefing import findings_of
from agents.budget import Cost, Meter, Models
from agents.conversation import MOST_TOOL_CALLS, converse
from agents.diagnosis import Category, Claim, Confidence, Diagnosis, Location, RepositoryName
from agents.errors import Denied, SelfhealError, Transient
from agents.evidence import Citation, holds
from agents.policy import is_inside
from agents.survey import Survey
from agents.syntax import functions
from agents.tools import Place, Sources, open_place, reading_tools, sources_of, told
from prompts import Prompt, plain, render

LOWER: dict[Confidence, Confidence] = {"high": "medium", "medium": "low", "low": "low"}
FIXABLE = frozenset({"code", "config"})


class Quotation(BaseModel):
    """A place in the evidence and the text that stands there."""

    ref: str = Field(max_length=500, description="`<item>#L<from>-<to>` or `<item>#<JSON pointer>`")
    quote: str = Field(max_length=2000, description="Copied exactly from that place")


class Statement(BaseModel):
    """One sentence and what shows it."""

    text: str = Field(max_length=400)
    evidence: list[Quotation] = Field(min_length=1, max_length=5)


class Conclusion(BaseModel):
    """Say what made the canary fail. Call this once, when you are done."""

    category: Category
    summary: str = Field(min_length=1, max_length=600, description="What failed and why, in one or two sentences")
    confidence: Confidence
    repository: RepositoryName | None = Field(description="Where the cause lies; null where it lies in neither")
    file: str | None = Field(max_length=400, description="The file of the cause, in that repository")
    line: int | None = Field(ge=1, description="Its line at the canary's commit")
    function: str | None = Field(max_length=200, description="The function around it")
    culprit_commit: str | None = Field(description="The commit that brought the cause in")
    fixable: bool = Field(description="Whether a change of one of the two repositories would remove the failure")
    claims: list[Statement] = Field(max_length=12)


class Investigation(BaseModel):
    """The diagnosis that stands, by the model or by the rules, and what it has cost."""

    model_config = ConfigDict(frozen=True)

    diagnosis: Diagnosis
    cost: Cost
    is_usable: bool = True
    """Whether the model can be asked again: its server answers."""


async def investigate(seen: Survey, rules: Diagnosis, models: Models) -> Investigation:
    """Ask the model; never fails for its sake. Half of the budget is kept for the fix."""
    meter = Meter(models.limits.half(), Cost(model=models.name))
    sources = await read_sources(seen)
    inspector = _Inspector(sources)
    prompt = opening(seen, rules, sources, meter.limits.calls)
    middleware: list[AgentMiddleware[Any, Any, Any]] = [
        ModelCallLimitMiddleware(run_limit=max(1, meter.limits.calls - 1), exit_behavior="end"),
        ToolCallLimitMiddleware(run_limit=MOST_TOOL_CALLS),
        ToolErrorMiddleware(on_error=lambda error, _request: told(error)),
        ModelRefusalMiddleware(),
    ]
    agent = create_agent(
        models.chat(),
        reading_tools(sources),
        system_prompt=prompt.system,
        middleware=middleware,
        response_format=ToolStrategy(Conclusion),
    )
    try:
        task = sources.redactor.redact_text(prompt.task)
        conclusion = await converse(agent, task, meter, inspector.find_fault)
    except SelfhealError as error:
        note = f"the model {models.name} was of no help in diagnosing: {error}; the rules made this diagnosis"
        usable = not isinstance(error, Transient | Denied)
        return Investigation(diagnosis=_noted(rules, note), cost=meter.cost, is_usable=usable)
    return Investigation(diagnosis=_judged(seen, rules, conclusion, inspector, models.name), cost=meter.cost)


def opening(seen: Survey, rules: Diagnosis, sources: Sources, calls: int) -> Prompt:
    """What a model is told first: the findings, not the logs. `calls` is how often it may be asked."""
    return render("investigate", **findings_of(seen, rules, sources), calls=calls, answer=Conclusion.__name__)


async def read_sources(seen: Survey) -> Sources:
    version, stable, origin = seen.bundle.manifest.canary, seen.bundle.manifest.stable, seen.manifests
    source = await open_place(seen.source, stable.commit, version.commit)
    manifests = None
    if origin is not None:
        manifests = await open_place(seen.configuration, origin.stable, origin.canary, origin)
    return sources_of(seen.bundle, source, manifests)


class _Inspector:
    """Looks what a conclusion names up in the repositories."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.culprit: str | None = None
        """The full id of the commit that the conclusion names."""

    async def find_fault(self, conclusion: Conclusion) -> str | None:
        """What is named and does not exist, in words for the model; None where all of it does."""
        self.culprit = None
        if conclusion.culprit_commit is None and conclusion.file is None:
            return None
        place = self._sources.places().get(conclusion.repository) if conclusion.repository else None
        if place is None:
            return (
                "You name a file or a commit, but no repository that is at hand. Say which it is in, or leave it null."
            )
        if conclusion.culprit_commit is not None:
            self.culprit = await _full_id(conclusion.culprit_commit, place)
            if self.culprit is None:
                named = conclusion.culprit_commit[:80]
                return f"{named} is no commit between the versions of the {conclusion.repository} repository."
        return await _missing_place(conclusion, place) if conclusion.file is not None else None


async def _full_id(named: str, place: Place) -> str | None:
    found = [one.sha for one in await place.commits() if len(named) >= 7 and one.sha.startswith(named.lower())]
    return found[0] if len(found) == 1 else None


async def _missing_place(conclusion: Conclusion, place: Place) -> str | None:
    path = plain(conclusion.file or "")
    found = await place.repository.read(place.canary, path) if is_inside(path) else None
    if found is None or found.status != "ok":
        return f"{path} is no text file of the {conclusion.repository} repository at the canary's commit."
    count = len(found.text.splitlines())
    if conclusion.line is not None and conclusion.line > count:
        return f"{path} has no line {conclusion.line}; it has {count}."
    if conclusion.function is not None and not _defines(path, found.text, conclusion.function):
        return f"{path} has no function {conclusion.function[:80]} at the canary's commit."
    return None


def _defines(path: str, text: str, name: str) -> bool:
    """Whether a function's name, without its class and arguments, is one of the file's."""
    bare = plain(name).partition("(")[0].replace("::", ".").replace("#", ".").rpartition(".")[2].strip()
    known = {one.name for one in functions(path, text)} if path.endswith(".py") else set(_words(text))
    return bare in known or name in {"<module>", "__main__"}


def _words(text: str) -> list[str]:
    return "".join(character if character.isalnum() or character in "_$" else " " for character in text).split()


def _judged(seen: Survey, rules: Diagnosis, answer: Conclusion, inspector: _Inspector, model: str) -> Diagnosis:
    """The diagnosis that an answer amounts to once its claims are checked; the rules' where it is worth less."""
    if answer.category == "unknown" and rules.category != "unknown":
        return _noted(
            rules, f"the model {model} found no cause: {_line(answer.summary)}; the rules made this diagnosis"
        )
    strategy = _strategy(seen, answer, inspector.culprit)
    if strategy is None and rules.strategy is not None:  # the verification tells who is right
        note = f"the model {model} sees nothing to change ({answer.category}: {_line(answer.summary)}), the rules do"
        return _noted(rules, note)
    stated = [_claim(one) for one in answer.claims]
    held = [one for one in stated if all(holds(seen.bundle, citation) for citation in one.evidence)]
    notes = [f"diagnosed by the model {model}, from what the rules found and what it looked up itself"]
    if len(held) < len(stated):
        notes.append(f"{len(stated) - len(held)} of its {len(stated)} claims were removed: their citations do not hold")
    location = None
    if answer.file is not None:
        location = Location(file=plain(answer.file), line=answer.line, function=_function(answer))
    return rules.model_copy(
        update={
            "category": answer.category,
            "summary": _line(answer.summary),
            "confidence": _confidence(rules, answer, inspector.culprit, held=len(held), stated=len(stated)),
            "location": location,
            "culprit_commit": inspector.culprit,
            "claims": (*rules.claims, *(one for one in held if one.text not in {own.text for own in rules.claims})),
            "strategy": strategy,
            "repository": answer.repository,
            "by": "model",
            "notes": (*rules.notes, *notes),
        }
    )


def _strategy(seen: Survey, answer: Conclusion, culprit: str | None) -> Literal["restore", "revert", "model"] | None:
    """What the rules try should the model's own fix fail. None where Git would not help, or nobody failed."""
    if seen.findings.circumstance != "failed" or not answer.fixable or answer.category not in FIXABLE:
        return None
    if answer.file is None or answer.repository is None:
        return None
    if answer.repository == "manifests" and answer.file in {one.file for one in seen.findings.values}:
        return "restore"
    return "revert" if culprit is not None else "model"


def _confidence(rules: Diagnosis, answer: Conclusion, culprit: str | None, *, held: int, stated: int) -> Confidence:
    """As the model says; less where its claims do not hold, and never high on its word alone."""
    if held == 0:
        return "low"
    confidence = LOWER[answer.confidence] if held < stated else answer.confidence
    agrees = rules.culprit_commit is not None and rules.culprit_commit == culprit
    return "medium" if confidence == "high" and not agrees else confidence


def _claim(stated: Statement) -> Claim:
    evidence = tuple(Citation(ref=plain(one.ref), quote=plain(one.quote)) for one in stated.evidence)
    return Claim(text=_line(stated.text), evidence=evidence)


def _function(answer: Conclusion) -> str | None:
    return _line(answer.function) if answer.function else None


def _line(text: str) -> str:
    return " ".join(plain(text).split())


def _noted(diagnosis: Diagnosis, note: str) -> Diagnosis:
    return diagnosis.model_copy(update={"notes": (*diagnosis.notes, note)})
