"""The fix is made on the canary's commit and proposed against the base branch, which may have moved on since."""

from agents.case import Case, patched_environment
from agents.changes import Repositories, Repository
from agents.errors import Denied
from agents.evidence import Bundle
from agents.patch import EditRejected, Patch, apply_edits
from agents.verification import (
    Check,
    Commands,
    Dependencies,
    OnBase,
    Program,
    Sandbox,
    Verification,
    Workspace,
    aim,
    see_alone,
    verify,
)


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


def is_as_tried(patch: Patch, final: Patch) -> bool:
    """Whether the files of the patch are on the new commit what they were on the one where it was tried."""
    return {change.path: change.before for change in patch.changes} == {
        change.path: change.before for change in final.changes
    }


async def try_on_base(
    patch: Patch,
    case: Case,
    bundle: Bundle,
    base: str,
    *,
    repositories: Repositories,
    sandbox: Sandbox,
    workspace: Workspace,
    dependencies: Dependencies | None = None,
) -> OnBase | None:
    """The trial of the patch on the tip of `base`; None where it would be the one that was made already.

    Where the change cannot be made there, the failure alone is looked for: somebody may have mended it in other words.
    None where the change is there already: who publishes it says so.
    """
    repository = await repositories.open(patch.repository)
    try:
        tip = await repository.resolve(f"refs/heads/{base}")
        final = await carry(patch, tip, repository)
        in_the_way = None
    except EditRejected as error:
        final, in_the_way = patch.model_copy(update={"commit": tip, "changes": ()}), error
    except Denied:
        return None
    if in_the_way is None and (not final.changes or is_as_tried(patch, final)):
        return None
    program = case.program
    if program is not None and program.url == patch.repository:
        program = program.model_copy(update={"commit": tip})
    environment = await patched_environment(final, case, bundle, repositories)
    if in_the_way is not None:
        seen = await see_alone(
            case.reproduction,
            program,
            environment,
            case.commands,
            sandbox=sandbox,
            workspace=workspace,
            dependencies=dependencies,
        )
        return _told_alone(seen, base, tip)
    tried = await verify(
        final,
        case.reproduction,
        program,
        environment,
        await aimed(final, case, program, repositories),
        sandbox=sandbox,
        workspace=workspace,
        dependencies=dependencies,
    )
    return _told(tried, base, tip)


async def aimed(patch: Patch, case: Case, program: Program | None, repositories: Repositories) -> Commands:
    """The case's commands with the tests that are nearest to the patch; all alike where none can be found."""
    if program is None or program.url != patch.repository:
        return case.commands
    try:
        repository = await repositories.open(program.url)
        return await aim(case.commands, patch, case.reproduction.signature, repository, program.commit)
    except Denied:
        return case.commands


def _told(tried: Verification, base: str, tip: str) -> OnBase:
    is_healthy = tried.verdict == "unverified" and tried.before.result == "passed"
    return OnBase(
        branch=base,
        commit=tip,
        verdict="healthy" if is_healthy else tried.verdict,
        before=tried.before,
        after=tried.after,
        reason=None if tried.verdict == "verified" else next(iter(tried.unchecked), "it could not be told"),
    )


def _told_alone(seen: Check, base: str, tip: str) -> OnBase:
    reason = "the change cannot be made there"
    return OnBase(
        branch=base,
        commit=tip,
        verdict="healthy" if seen.result == "passed" else "unverified",
        before=seen,
        after=Check(result="not_run", reason=reason),
        reason=reason,
    )
