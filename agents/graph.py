"""The pipeline: which stage follows which. Thin nodes; every decision stands in the stage's own module.

A node's name is the state that the store shows while it runs. The graph's state holds plain data only, so that
a checkpoint of one version can be read by the next; the world comes in through `Ports`, which is never
checkpointed. Every node may run twice (a crash after its work, before its checkpoint), and none minds. What asks a
model is imported where it is asked: LangChain takes two seconds, and not every service has a model.
"""

import contextlib
from typing import Any, Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from agents.audit import Act, AuditedForge
from agents.case import Case, doubted, noted, open_case, refuted, settled
from agents.diagnosis import diagnose, public
from agents.draft import MOST_DRAFTS
from agents.incident import State as Stage
from agents.outcome import OUTCOME, conclude
from agents.patch import BY_PIN, Patch
from agents.ports import Journal, Ports
from agents.provenance import identify
from agents.rollback import Rollback
from agents.survey import survey
from agents.trying import State, ask_for_draft, candidate, cited, plan_rollback, prove_pin, try_at_base, try_out
from agents.verification import Verification

__all__ = ["Journal", "Ports", "State", "build"]


async def diagnosing(state: State, runtime: Runtime[Ports]) -> State:
    ports = runtime.context
    await ports.journal.enter(state["attempt"], Stage.DIAGNOSING)
    policy = ports.policy
    known = await identify(
        await ports.journal.bundle(state["attempt"]),
        ports.repositories,
        policy.listed,
        registry=ports.registry,
        images=policy.images,
    )
    await ports.journal.identified(state["attempt"], known.bundle)
    seen = await survey(known.bundle, ports.repositories, ports.forge, policy, known.notes)
    rules = diagnosis = diagnose(seen.findings)
    cost, drafts = None, 0
    if ports.models is not None and seen.findings.circumstance == "failed":
        from agents.investigator import investigate  # noqa: PLC0415 - see the module's docstring

        asked = Act(action="ask-model", target=ports.models.name, phase="begun", result="for a diagnosis")
        await ports.journal.note(state["attempt"], asked)
        found = await investigate(seen, rules, ports.models)
        diagnosis, cost = found.diagnosis, found.cost.model_dump(mode="json")
        drafts = 0 if found.is_usable else MOST_DRAFTS
    case = await open_case(seen, diagnosis, rules)
    await ports.journal.record(state["attempt"], {"diagnosis": _shown(case), **({"cost": cost} if cost else {})})
    document = case.model_dump(mode="json")
    return {"case": document, "drafts": drafts, "tried": 0, "cost": cost, "patch": None, "verification": None}


async def fixing(state: State, runtime: Runtime[Ports]) -> State:
    """A model's draft while it has one, then the rules' candidates, then the pin to the stable version."""
    ports = runtime.context
    await ports.journal.enter(state["attempt"], Stage.FIXING)
    case, drafts, tried = Case.model_validate(state["case"]), state.get("drafts", 0), state["tried"]
    draft = await ask_for_draft(state, case, ports) if drafts < MOST_DRAFTS else None
    patch, cost = (draft.patch, draft.cost.model_dump(mode="json")) if draft else (None, state.get("cost"))
    drafts = drafts + 1 if patch is not None else MOST_DRAFTS
    if draft is not None and draft.note is not None:
        case = noted(case, draft.note)
    if patch is None:
        case, patch, tried = await candidate(state, case, ports)
    if patch is None:
        case = doubted(case)
    if patch is None and (state["patch"] or {}).get("strategy") != BY_PIN:
        rollback = await plan_rollback(state["attempt"], case, ports)
        patch = rollback.pin.patch if isinstance(rollback, Rollback) else None
    documents = {"diagnosis": _shown(case), **({"cost": cost} if cost else {})}
    left: State = {"case": case.model_dump(mode="json"), "drafts": drafts, "tried": tried, "cost": cost}
    if patch is not None:
        document = patch.model_dump(mode="json")
        documents["patch"] = document | {"diff": patch.diff}
        left |= {"patch": document, "verification": None}
    await ports.journal.record(state["attempt"], documents)
    return left


async def verifying(state: State, runtime: Runtime[Ports]) -> State:
    ports = runtime.context
    await ports.journal.enter(state["attempt"], Stage.VERIFYING)
    case, patch = Case.model_validate(state["case"]), Patch.model_validate(state["patch"])
    bundle = await ports.journal.bundle(state["attempt"])
    verification = await (prove_pin if patch.is_pin else try_out)(patch, case, bundle, ports)
    if verification.verdict == "refuted":
        case = refuted(case, patch, verification)
    if verification.verdict == "verified":
        on_base = await try_at_base(patch, case, bundle, ports)
        verification = verification.model_copy(update={"base": on_base})
    case = settled(case, patch, verification)
    document = verification.model_dump(mode="json")
    await ports.journal.record(state["attempt"], {"verification": document, "diagnosis": _shown(case)})
    return {"verification": document, "case": case.model_dump(mode="json")}


async def publishing(state: State, runtime: Runtime[Ports]) -> State:
    ports = runtime.context
    await ports.journal.enter(state["attempt"], Stage.PUBLISHING)
    bundle = await ports.journal.bundle(state["attempt"])
    patch, verification = state["patch"], state["verification"]
    case = Case.model_validate(state["case"])
    forge = AuditedForge(ports.forge, ports.journal, state["attempt"], cited(case))
    is_manifest_fix = patch is not None and patch["strategy"] != BY_PIN and case.diagnosis.repository == "manifests"
    rollback = None if is_manifest_fix else await plan_rollback(state["attempt"], case, ports, forge)
    places = {case.ground.url if case.ground else "", rollback.url if isinstance(rollback, Rollback) else ""}
    async with contextlib.AsyncExitStack() as stack:
        for place in sorted(places):  # always in one order: two incidents must not wait for one another
            await stack.enter_async_context(ports.turns.at(place))
        outcome = await conclude(
            bundle.manifest,
            case,
            Patch.model_validate(patch) if patch else None,
            Verification.model_validate(verification) if verification else None,
            repositories=ports.repositories,
            forge=forge,
            policy=ports.policy,
            rollback=rollback,
        )
    await ports.journal.finish(state["attempt"], outcome)
    return {"outcome": OUTCOME.dump_python(outcome, mode="json")}


def _shown(case: Case) -> dict[str, Any]:
    """The diagnosis as callers read it, with who made it."""
    return public(case.diagnosis) | {"by": case.diagnosis.by, "notes": list(case.diagnosis.notes)}


def after_diagnosing(state: State) -> Literal["fixing", "publishing"]:
    """A cause that nothing in Git would remove is reported at once."""
    case = state["case"]
    return "fixing" if (case["diagnosis"]["strategy"] and case["ground"]) or case["is_pinnable"] else "publishing"


def after_fixing(state: State) -> Literal["verifying", "publishing"]:
    """A new patch is verified; when none is left, the last refuted one is reported."""
    return "verifying" if state["patch"] and not state["verification"] else "publishing"


def after_verifying(state: State) -> Literal["fixing", "publishing"]:
    """A refuted patch makes way for the next candidate."""
    verification = state["verification"]
    return "fixing" if verification and verification["verdict"] == "refuted" else "publishing"


def build(
    checkpointer: BaseCheckpointSaver[str] | None = None,
) -> CompiledStateGraph[State, Ports, State, State]:
    """The compiled pipeline; the picture in the README is drawn from it."""
    graph = StateGraph(State, context_schema=Ports)
    for name, node in (
        (Stage.DIAGNOSING, diagnosing),
        (Stage.FIXING, fixing),
        (Stage.VERIFYING, verifying),
        (Stage.PUBLISHING, publishing),
    ):
        graph.add_node(name.value, node)
    graph.add_edge(START, Stage.DIAGNOSING.value)
    graph.add_conditional_edges(Stage.DIAGNOSING.value, after_diagnosing)
    graph.add_conditional_edges(Stage.FIXING.value, after_fixing)
    graph.add_conditional_edges(Stage.VERIFYING.value, after_verifying)
    graph.add_edge(Stage.PUBLISHING.value, END)
    return graph.compile(checkpointer=checkpointer)
