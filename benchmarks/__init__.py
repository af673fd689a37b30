"""What the service takes, measured on this machine: one module a benchmark, `python -m benchmarks [NAME ...]`.

Each prints a table and writes `benchmarks/out/<name>.json` (DESIGN section 10). A new one is a module with
`measure() -> Result` and a line in `benchmarks.__main__`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """What was measured, and what it is to be compared with. Mappings may be nested; times are seconds."""

    figures: Mapping[str, Any]
    baselines: Mapping[str, Any]
    faults: tuple[str, ...] = ()
    """What did not work; the figures count it, the exit code says it."""
