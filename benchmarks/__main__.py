"""`python -m benchmarks [NAME ...]`: all without a name. Exit 0; 1 where something did not work; 2 for a wrong name."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import (
    Result,
    ack,
    capture,
    checkout,
    crash,
    diagnose,
    fuzz,
    loop,
    publish,
    reduce,
    repository,
    sandbox,
    start,
    storm,
    tokens,
)

BENCHMARKS: Mapping[str, Callable[[], Result]] = {
    "start": start.measure,
    "ack": ack.measure,
    "loop": loop.measure,
    "storm": storm.measure,
    "tokens": tokens.measure,
    "capture": capture.measure,
    "reduce": reduce.measure,
    "diagnose": diagnose.measure,
    "crash": crash.measure,
    "fuzz": fuzz.measure,
    "repository": repository.measure,
    "publish": publish.measure,
    "sandbox": sandbox.measure,
    "checkout": checkout.measure,
}
OUT = Path(__file__).resolve().parent / "out"


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    faults = 0
    for name in names or BENCHMARKS:
        result = BENCHMARKS[name]()
        keep(name, result)
        show(name, result)
        faults += len(result.faults)
    return 1 if faults else 0


def keep(name: str, result: Result) -> None:
    """Write the figures to their file."""
    OUT.mkdir(exist_ok=True)
    document = {"name": name, "figures": result.figures, "baselines": result.baselines}
    (OUT / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def show(name: str, result: Result) -> None:
    """Print the figures, each beside its baseline where it has one."""
    table = Table("figure", "value", "baseline", title=name, title_justify="left")
    baselines = dict(flatten(result.baselines))
    for key, value in flatten(result.figures):
        table.add_row(key, str(value), str(baselines.pop(key, "")))
    for key, value in baselines.items():
        table.add_row(key, "", str(value))
    console = Console()
    console.print(table)
    for fault in result.faults:
        console.print(fault, style="red", markup=False, highlight=False)


def flatten(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested figures with their path as one name."""
    for key, value in figures.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
