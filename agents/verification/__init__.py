"""Red, then green: whether a patch removes the failure that the evidence shows.

`Reproduction` is derived from the evidence and stored with it; `verify` runs it before and after the patch
and says, besides, what was not checked (DESIGN section 6).
"""

from agents.verification.detection import with_tests
from agents.verification.environment import Environment, container_environment, rendered_environment
from agents.verification.nouns import Check, OnBase, Program, Verification
from agents.verification.ports import (
    Completed,
    Dependencies,
    Provision,
    Request,
    Response,
    Sandbox,
    Served,
    Workspace,
)
from agents.verification.reproduction import Commands, Reproduction, derive
from agents.verification.targets import aim
from agents.verification.verify import see_alone, verify

__all__ = [
    "Check",
    "Commands",
    "Completed",
    "Dependencies",
    "Environment",
    "OnBase",
    "Program",
    "Provision",
    "Reproduction",
    "Request",
    "Response",
    "Sandbox",
    "Served",
    "Verification",
    "Workspace",
    "aim",
    "container_environment",
    "derive",
    "rendered_environment",
    "see_alone",
    "verify",
    "with_tests",
]
