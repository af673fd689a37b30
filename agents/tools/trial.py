"""The verification as a tool: a model may try its changes before it hands them over."""

from collections.abc import Awaitable, Callable

from agents.errors import SelfhealError
from agents.patch import Patch
from agents.redaction import Redactor
from agents.tools.reply import Reply, refused
from agents.tools.workbench import Workbench
from agents.verification import Verification
from prompts import quote

MOST_TRIALS = 4
OUTPUT_WIDTH = 6_000
"""Characters of one check's output, from its end."""

Verify = Callable[[Patch], Awaitable[Verification]]


class Trial:
    """Runs the verification on what is on the workbench, a few times at most."""

    def __init__(self, bench: Workbench, verify: Verify, redactor: Redactor) -> None:
        self._bench = bench
        self._verify = verify
        self._redactor = redactor
        self._left = MOST_TRIALS

    async def run_verification(self) -> str:
        """Run the verification on the changes so far and read its raw output. It takes up to minutes."""
        patch = self._bench.patch("")
        if not patch.changes:
            return refused("empty", "nothing is changed yet").render()
        if self._left < 1:
            return refused("denied", f"it was run {MOST_TRIALS} times already; finish").render()
        self._left -= 1
        try:
            verification = await self._verify(patch)
        except SelfhealError as error:
            return refused("failed", f"the verification could not be run: {error}").render()
        head = Reply(status="ok", note=f"{self._left} more runs are left").render()
        return f"{head}\n{describe(verification, self._redactor)}"


def describe(verification: Verification, redactor: Redactor) -> str:
    """A verification in words, with all that came out of the checks between delimiters."""
    parts = list(verification.unchecked)
    for name, check in (
        ("reproduction before the change", verification.before),
        ("reproduction after the change", verification.after),
        ("the repository's tests before the change", verification.tests_before),
        ("the repository's tests after the change", verification.tests_after),
    ):
        parts.append(f"== {name}: {check.result}{f' ({check.reason})' if check.reason else ''}")
        parts += [f"$ {check.command}"] if check.command else []
        parts += [check.output[-OUTPUT_WIDTH:]] if check.output.strip() else []
    said = quote(redactor.redact_text("\n".join(parts)), "the verification")
    return f"verdict: {verification.verdict}; kind of reproduction: {verification.kind}\n{said}"
