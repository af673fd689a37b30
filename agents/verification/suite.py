"""The repository's own tests: a guard beside the reproduction, never the red."""

from agents.verification.nouns import Check, tail
from agents.verification.ports import Completed, Sandbox
from agents.verification.reproduction import Commands


async def run_suite(tree: str, commands: Commands, sandbox: Sandbox) -> Check:
    """Run `test:` of .selfheal.yml in a laid-out tree."""
    if not commands.test:
        return Check(result="not_run", reason="the repository names no `test:` in .selfheal.yml")
    done = await sandbox.run(tree, commands.test, {})
    command = " ".join(commands.test)
    if done.status == "failed":
        return Check(result="not_run", command=command, reason=done.reason)
    passed = done.status == "ok" and done.exit_code == 0
    return Check(
        result="passed" if passed else "failed",
        command=command,
        output=tail(done.output),
        reason=None if passed else ending(done),
    )


def ending(done: Completed) -> str:
    """How a command ended, in a few words."""
    return done.reason or f"exit code {done.exit_code}"
