"""What a check found: how bad it is, what it means, and what to do about it."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Level = Literal["ok", "warn", "fail"]


class Finding(BaseModel):
    """One line of the doctor's. `fail`: the service cannot do its work; `warn`: it does less than it could."""

    model_config = ConfigDict(frozen=True)

    check: str
    level: Level
    text: str
    todo: str | None = None


def ok(check: str, text: str) -> Finding:
    return Finding(check=check, level="ok", text=text)


def warn(check: str, text: str, todo: str) -> Finding:
    return Finding(check=check, level="warn", text=text, todo=todo)


def fail(check: str, text: str, todo: str) -> Finding:
    return Finding(check=check, level="fail", text=text, todo=todo)


def document(findings: Sequence[Finding]) -> dict[str, Any]:
    """The JSON form: `healthy` is whether nothing failed."""
    return {
        "healthy": not any(finding.level == "fail" for finding in findings),
        "checks": [finding.model_dump() for finding in findings],
    }
