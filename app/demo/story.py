"""A demo scenario: the repositories with their histories, and what is deployed. Plain data, built by the scenarios."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Literal


@dataclass(frozen=True)
class Change:
    """One commit: whole files by path (None deletes), or one replacement in a file."""

    subject: str
    author: str
    files: Mapping[str, str | None] = field(default_factory=dict)
    replace: tuple[str, str, str] | None = None
    """(path, old text, new text); the old text stands exactly once."""


@dataclass(frozen=True)
class History:
    """A repository: its name in the forge, its commits, and the indexes of the two that were deployed."""

    name: str
    changes: tuple[Change, ...]
    stable: int
    canary: int


@dataclass(frozen=True)
class Names:
    """What a scenario's code calls things. Tests run the scenarios with other names."""

    route: str
    module: str
    key: str
    exception: str

    def fill(self, text: str) -> str:
        return Template(text).substitute(route=self.route, module=self.module, key=self.key, exception=self.exception)


@dataclass(frozen=True)
class Scenario:
    """One failed canary to be."""

    name: str
    service: str
    namespace: str
    source: History
    deploy: History
    package: str
    """What `python3 -m` starts."""
    stable_config: Mapping[str, str]
    canary_config: Mapping[str, str]
    """The ConfigMap's data as each version's pods saw it."""
    paths: tuple[str, ...]
    """What the traffic asks for."""
    trigger: Literal["on-rollout-aborted", "on-canary-degraded"]
    images: tuple[str, str]
    """Tags of the stable and the canary version."""
    metric: Literal["success-rate", "latency-p95"] = "success-rate"
    """What the analysis of the canary measured."""
    build: tuple[str, ...] = ()
    """What makes the program from its source, where it is no Python package."""
    program: tuple[str, ...] = ()
    """What starts it then; `{port}` is where it listens."""

    def argv(self, tree: Path, port: int) -> list[str]:
        """The command that starts the service from the files in `tree`."""
        if not self.program:
            return [sys.executable, "-m", self.package, "--port", str(port)]
        command, *words = (word.replace("{port}", str(port)) for word in self.program)
        return [str(tree / command), *words]
