"""The repository's own tests, run in a place that is ready: those that are nearest to the patch first, then all."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from agents.verification.nouns import Check, tail
from agents.verification.ports import Completed, Sandbox
from agents.verification.reproduction import Commands
from agents.verification.runners import aimed_at, failing_tests, why_not_run

NO_TEST = "the repository names no `test:` in .selfheal.yml"


class Tests(BaseModel):
    """One side's tests as they came out."""

    model_config = ConfigDict(frozen=True)

    check: Check
    output: str = ""
    """All that was kept of it, untrusted; the check shows its end."""
    failing: tuple[str, ...] = ()
    """The tests that are red, as far as the runner names them."""
    is_whole: bool = True
    """False where the command did not come to its end, so that more may be red than are named."""
    targeted: "Tests | None" = None
    """The tests nearest to the patch, which went first; None where there are none, or all were run at once."""


def not_run(reason: str) -> Tests:
    """A side on which no test was run."""
    return Tests(check=Check(result="not_run", reason=reason))


async def run_suite(tree: str, commands: Commands, sandbox: Sandbox, environment: Mapping[str, str]) -> Tests:
    """Run the targeted tests, then all of them, in a laid-out tree."""
    if not commands.test:
        return not_run(commands.untested or NO_TEST)
    aimed = aimed_at(commands.runner, commands.targets)
    targeted = await run_tests(tree, aimed, commands, sandbox, environment) if aimed else None
    whole = await run_tests(tree, commands.test, commands, sandbox, environment)
    return whole.model_copy(update={"targeted": targeted})


async def run_tests(
    tree: str, argv: tuple[str, ...], commands: Commands, sandbox: Sandbox, environment: Mapping[str, str]
) -> Tests:
    """Run one test command."""
    done = await sandbox.run(tree, argv, environment)
    command = " ".join(argv)
    reason = done.reason if done.status == "failed" else None
    if done.status == "ok":
        reason = why_not_run(commands.runner, done.exit_code, done.output)
    if reason is not None or done.status == "failed":
        return Tests(check=Check(result="not_run", command=command, output=tail(done.output), reason=reason))
    passed = done.status == "ok" and done.exit_code == 0
    check = Check(
        result="passed" if passed else "failed",
        command=command,
        output=tail(done.output),
        reason=None if passed else ending(done),
    )
    failing = () if passed else failing_tests(done.output)
    return Tests(check=check, output=done.output, failing=failing, is_whole=done.status == "ok")


def ending(done: Completed) -> str:
    """How a command ended, in a few words."""
    return done.reason or f"exit code {done.exit_code}"
