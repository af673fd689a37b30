"""What the real controller sent: the raw bodies of tests/recordings, in the order in which they came."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "recordings"
SCENARIOS = tuple(sorted(path.name for path in FOLDER.iterdir() if path.is_dir()))


def bodies(number: str) -> tuple[bytes, ...]:
    """The bodies of the scenario that starts with this number, such as `17a`."""
    (name,) = (name for name in SCENARIOS if name.startswith(f"{number}-"))
    return tuple(path.read_bytes() for path in sorted((FOLDER / name).glob("[0-9][0-9][0-9].json")))


def body(number: str, at: int) -> dict[str, Any]:
    """Body `at` (from 1) of a scenario, parsed afresh, to be changed at will."""
    parsed: dict[str, Any] = json.loads(bodies(number)[at - 1])
    return parsed
