"""A place to try a commit in: laid out, with its packages and its `setup`, and cleared away again."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from pydantic import BaseModel, ConfigDict

from agents.errors import Denied
from agents.verification.ports import Dependencies, Sandbox, Workspace
from agents.verification.reproduction import Commands
from agents.verification.suite import Tests, ending, not_run, run_suite


class Ground(BaseModel):
    """A commit that is ready to be run, or why it is not."""

    model_config = ConfigDict(frozen=True)

    tree: str = ""
    environment: Mapping[str, str] = {}
    """How programs find the packages."""
    unchecked: tuple[str, ...] = ()
    problem: str | None = None
    could_run: bool = True
    """False where it was the sandbox or the checkout that failed, which says nothing about the code."""


class Site:
    """Lays out commits of one repository."""

    def __init__(
        self,
        url: str,
        commands: Commands,
        sandbox: Sandbox,
        workspace: Workspace,
        dependencies: Dependencies | None,
    ) -> None:
        self.commands = commands
        self.sandbox = sandbox
        self._url = url
        self._workspace = workspace
        self._dependencies = dependencies

    @asynccontextmanager
    async def ground(self, commit: str, files: Mapping[str, str | None]) -> AsyncIterator[Ground]:
        """The commit with `files` written over it."""
        try:
            tree = await self._workspace.lay_out(self._url, commit, files)
        except Denied as error:
            yield Ground(problem=f"the commit cannot be laid out: {error}", could_run=False)
            return
        try:
            yield await self._prepare(tree)
        finally:
            await self._workspace.clear(tree)

    async def test(self, commit: str, files: Mapping[str, str | None]) -> Tests:
        """The repository's own tests alone, in a place of their own."""
        async with self.ground(commit, files) as ground:
            if ground.problem is not None:
                return not_run(ground.problem)
            return await run_suite(ground.tree, self.commands, self.sandbox, ground.environment)

    async def _prepare(self, tree: str) -> Ground:
        """Install the packages, then run `setup`: it may need them. A package that is not there is no failure yet."""
        environment: Mapping[str, str] = {}
        unchecked: tuple[str, ...] = ()
        if self._dependencies is not None:
            extra = ("pytest",) if self.commands.runner == "pytest" else ()
            provision = await self._dependencies.provide(tree, extra)
            environment, unchecked = provision.environment, provision.unchecked
            for command in provision.install:
                done = await self.sandbox.run(tree, command, environment)
                if done.status != "ok" or done.exit_code != 0:
                    last = done.output.rstrip().rpartition("\n")[2][:200]
                    unchecked = (*unchecked, f"the packages could not be installed: {ending(done)} {last}".rstrip())
                    break
        if self.commands.setup:
            done = await self.sandbox.run(tree, self.commands.setup, environment)
            if done.status != "ok" or done.exit_code != 0:
                problem = f"`setup` of .selfheal.yml failed: {ending(done)}"
                return Ground(tree=tree, unchecked=unchecked, problem=problem, could_run=done.status != "failed")
        return Ground(tree=tree, environment=environment, unchecked=unchecked)
