"""The tools that each agent gets."""

from collections.abc import Awaitable, Callable
from inspect import cleandoc

from langchain_core.tools import BaseTool, StructuredTool

from agents.tools.evidence import EvidenceTools
from agents.tools.repositories import RepositoryTools, Written
from agents.tools.sources import Sources
from agents.tools.trial import Trial
from agents.tools.workbench import Workbench

ToolFunction = Callable[..., Awaitable[str]]


def reading_tools(sources: Sources, written: Written | None = None) -> list[BaseTool]:
    """Read-only: everything about the evidence and the repositories that are at hand."""
    evidence, repositories = EvidenceTools(sources), RepositoryTools(sources, written)
    found: list[ToolFunction] = [
        evidence.list_evidence,
        evidence.read_evidence,
        evidence.search_evidence,
        evidence.sum_up_logs,
        evidence.show_pods,
        evidence.compare_deployed,
    ]
    if sources.manifests is not None:
        found.append(evidence.compare_manifests)
    if sources.places():
        found += [
            repositories.list_files,
            repositories.read_file,
            repositories.search_files,
            repositories.list_commits,
            repositories.show_commit,
            repositories.compare_file,
            repositories.blame,
        ]
    return [_tool(function) for function in found]


def fixing_tools(sources: Sources, bench: Workbench, written: Written, trial: Trial) -> list[BaseTool]:
    """The same, where files are shown as they have been changed so far; and what changes and tries them."""
    change: list[ToolFunction] = [
        bench.edit_files,
        bench.create_file,
        bench.delete_file,
        bench.show_changes,
        trial.run_verification,
    ]
    return [*reading_tools(sources, written), *(_tool(function) for function in change)]


def _tool(function: ToolFunction) -> BaseTool:
    """Named as the function; its first docstring is the description, its annotations are the arguments."""
    return StructuredTool.from_function(coroutine=function, description=cleandoc(function.__doc__ or ""))
