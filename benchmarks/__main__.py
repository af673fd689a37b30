"""Run all benchmarks, or those that are named, print a table of each and write `benchmarks/out/<name>.json`."""

import importlib
import json
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

OUT = Path(__file__).resolve().parent / "out"
NAMES = ("start", "ack", "loop", "storm")
"""The modules of this package with a `figures()`; `BASELINES` says what a figure was held against, if anything."""


def main() -> None:
    """The names come as arguments."""
    wanted = sys.argv[1:] or list(NAMES)
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        sys.exit(f"there is no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    OUT.mkdir(exist_ok=True)
    for name in wanted:
        module = importlib.import_module(f"benchmarks.{name}")
        began = time.monotonic()
        figures = module.figures()
        baselines = getattr(module, "BASELINES", {})
        document = {"name": name, "figures": figures, "baselines": baselines}
        (OUT / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        table = Table("figure", "value", "baseline", title=f"{name} ({time.monotonic() - began:.0f} s)")
        for key, value in figures.items():
            table.add_row(key, str(value), str(baselines.get(key, "")))
        Console().print(table)


if __name__ == "__main__":
    main()
