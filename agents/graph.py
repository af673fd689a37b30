"""The pipeline: which stage follows which. Thin nodes; every decision stands in the stage's own module.

A node's name is the state that the store shows while it runs. The graph's state holds plain data only, so that
a checkpoint of one version can be read by the next; the world comes in through `Ports`, which is never
checkpointed. Every node may run twice (a crash after its work, before its checkpoint), and none minds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from agents.case import Case, open_case, patched_environment
from agents.changes import Repositories
from agents.diagnosis import public
from agents.evidence import Bundle, Registry
from agents.fix import propose
from agents.incident import State as Stage
from agents.outcome import OUTCOME, Outcome, conclude
from agents.patch import Patch
from agents.policy import Policy
from agents.provenance import identify
from agents.pull_request import Forge
from agents.verification import Sandbox, Verification, Workspace, verify


class Journal(Protocol):
    """Where an attempt's evidence lies and its progress is kept for people to see."""

    async def bundle(self, attempt_id: str) -> Bundle:
        """The attempt's sealed evidence."""
        ...

    async def identified(self, attempt_id: str, bundle: Bundle) -> None:
        """Keep what was found out about the bundle's versions, and the items that were added for it."""
        ...

    async def enter(self, attempt_id: str, stage: Stage) -> None:
        """Note that a stage has begun; again is fine."""
        ...

    async def record(self, attempt_id: str, documents: Mapping[str, dict[str, Any]]) -> None:
        """Keep what a stage found out, under `diagnosis`, `patch` or `verification`."""
        ...

    async def finish(self, attempt_id: str, outcome: Outcome) -> None:
        """Keep the outcome and enter the state it ends in."""
        ...


@dataclass(frozen=True)
class Ports:
    """Everything the stages need of the world."""

    journal: Journal
    repositories: Repositories
    forge: Forge
    sandbox: Sandbox
    workspace: Workspace
    policy: Policy
    registry: Registry | None = None
    """None where no container registry may be asked."""


class State(TypedDict, total=False):
    """What one stage leaves for the next, as plain data."""

    attempt: str
    case: dict[str, Any]
    tried: int
    patch: dict[str, Any] | None
    verification: dict[str, Any] | None
    outcome: dict[str, Any]


async def diagnosing(state: State, runtime: Runtime[Ports]) -> State:
    ports = runtime.context
    await ports.journal.enter(state["attempt"], Stage.DIAGNOSING)
    policy = ports.policy
    found = await identify(
        await ports.journal.bundle(state["attempt"]),
        ports.repositories,
        policy.listed,
        registry=ports.registry,
        images=policy.images,
    )
    await ports.journal.identified(state["attempt"], found.bundle)
    case = await open_case(found.bundle, ports.repositories, ports.forge, policy, found.notes)
    await ports.journal.record(state["attempt"], {"diagnosis": public(case.diagnosis)})
    return {"case": case.model_dump(mode="json"), "tried": 0, "patch": None, "verification": None}


async def fixing(state: State, runtime: Runtime[Ports]) -> State:
    ports = runtime.context
    await ports.journal.enter(state["attempt"], Stage.FIXING)
    case = Case.model_validate(state["case"])
    patch = None
    if case.ground is not None:
        repository = await ports.repositories.open(case.ground.url)
        patch = await propose(case.diagnosis, case.ground, repository, state["tried"])
    if patch is None:
        return {"tried": state["tried"] + 1}
    document = patch.model_dump(mode="json")
    await ports.journal.record(state["attempt"], {"patch": document | {"diff": patch.diff}})
    return {"tried": state["tried"] + 1, "patch": document, "verification": None}


async def verifying(state: State, runtime: Runtime[Ports]) -> State:
    ports = runtime.context
    await ports.journal.enter(state["attempt"], Stage.VERIFYING)
    case, patch = Case.model_validate(state["case"]), Patch.model_validate(state["patch"])
    bundle = await ports.journal.bundle(state["attempt"])
    verification = await verify(
        patch,
        case.reproduction,
        case.program,
        await patched_environment(patch, case, bundle, ports.repositories),
        case.commands,
        sandbox=ports.sandbox,
        workspace=ports.workspace,
    )
    document = verification.model_dump(mode="json")
    await ports.journal.record(state["attempt"], {"verification": document})
    return {"verification": document}


async def publishing(state: State, runtime: Runtime[Ports]) -> State:
    ports = runtime.context
    await ports.journal.enter(state["attempt"], Stage.PUBLISHING)
    bundle = await ports.journal.bundle(state["attempt"])
    patch, verification = state["patch"], state["verification"]
    outcome = await conclude(
        bundle.manifest,
        Case.model_validate(state["case"]),
        Patch.model_validate(patch) if patch else None,
        Verification.model_validate(verification) if verification else None,
        repositories=ports.repositories,
        forge=ports.forge,
        policy=ports.policy,
    )
    await ports.journal.finish(state["attempt"], outcome)
    return {"outcome": OUTCOME.dump_python(outcome, mode="json")}


def after_diagnosing(state: State) -> Literal["fixing", "publishing"]:
    """A cause that nothing in Git would remove is reported at once."""
    case = state["case"]
    return "fixing" if case["diagnosis"]["strategy"] and case["ground"] else "publishing"


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
