"""What verifying finds out: checks, their results, and the program that they run."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

TAIL_LINES = 40

Result = Literal["failed", "passed", "not_run"]
Verdict = Literal["verified", "refuted", "unverified"]


class Check(BaseModel):
    """One run: what was done and how it ended. `output` is redacted, untrusted, the last 40 lines."""

    model_config = ConfigDict(frozen=True)

    result: Result
    command: str = ""
    output: str = ""
    reason: str | None = None


class OnBase(BaseModel):
    """The same trial on the tip of the base branch, where the code that the patch changes is another by now.

    `healthy`: the failure is not seen there any more, without the patch.
    """

    model_config = ConfigDict(frozen=True)

    branch: str
    commit: str
    verdict: Literal["verified", "refuted", "unverified", "healthy"]
    before: Check
    after: Check
    reason: str | None = None


class Verification(BaseModel):
    """The answer of the verifying stage.

    `verified`: red before and green after, and no guard objected. `refuted`: the patch does not remove the
    failure, or breaks something. `unverified`: it could not be told; `unchecked` says why.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["replay", "start", "latency", "test", "render", "none"]
    verdict: Verdict
    before: Check
    after: Check
    tests_before: Check
    tests_after: Check
    targeted_before: Check | None = None
    targeted_after: Check | None = None
    """The tests that are nearest to the patch, which were run before all others; None where there are none."""
    unchecked: tuple[str, ...] = ()
    base: OnBase | None = None
    """None where the base branch has the same code as the canary in the files of the patch."""

    @property
    def overall(self) -> "Verification":
        """What may be claimed of the change as it is proposed: no more than was seen on the base branch."""
        if self.base is None or self.base.verdict in {"verified", "healthy"}:
            return self
        why = f"on the tip of {self.base.branch} ({self.base.commit[:12]}): {self.base.reason}"
        return self.model_copy(update={"verdict": self.base.verdict, "unchecked": (why, *self.unchecked)})


class Program(BaseModel):
    """The code that runs in the reproduction: the source repository at the canary's commit."""

    model_config = ConfigDict(frozen=True)

    url: str
    commit: str
    stable: str | None = None
    """The stable version's commit, where it is known: what a slow canary is measured against."""


def tail(output: str) -> str:
    """The last 40 lines."""
    return "\n".join(output.rstrip().split("\n")[-TAIL_LINES:])
