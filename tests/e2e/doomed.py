"""A process of the service in which something goes wrong: `doomed.py ROLE FOLDER POINT ...`.

It is the real intake or worker, built by their own composition roots. A point is `<action> <moment>`; the moment is a
regular expression for one of these, in the order in which they come:

    before <port>.<method> [<state>]     after <port>.<method> [<state>]     sql <statement>

and the action is one of

    kill         SIGKILL to itself, once: a file in FOLDER remembers that it has happened
    kill-both    the same, to the process that the file `other.pid` in FOLDER names first
    transient    a `Transient` is raised, twice
    poison       a bug is raised, always
"""

import asyncio
import hashlib
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from agents.errors import Transient
from agents.graph import Ports
from agents.incident import State
from app import telemetry
from app.data_folder import only_one
from app.main import serve_intake
from app.settings import Settings, read_settings

TRANSIENT_TIMES = 2
OTHER = "other.pid"
PORTS = ("journal", "repositories", "forge", "sandbox", "workspace")


class Doom:
    """The points of this process, and what has happened at them already."""

    def __init__(self, folder: Path, points: list[str]) -> None:
        self._folder = folder
        self._points = [tuple(point.split(" ", 1)) for point in points]

    def reach(self, moment: str) -> None:
        """Let happen what is to happen at this moment."""
        for action, pattern in self._points:
            if re.match(pattern, moment):
                self._act(action, pattern)

    def _act(self, action: str, pattern: str) -> None:
        if action == "poison":
            raise TypeError("a bug in this stage")
        times = TRANSIENT_TIMES if action == "transient" else 1
        if not self._note(pattern, times):
            return
        if action == "transient":
            raise Transient("the forge does not answer")
        if action == "kill-both":
            os.kill(int((self._folder / OTHER).read_text()), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def _note(self, pattern: str, times: int) -> bool:
        """Whether it may happen once more; on the disk before it does."""
        name = hashlib.sha256(pattern.encode()).hexdigest()[:16]
        for number in range(times):
            try:
                os.close(os.open(self._folder / f"{name}.{number}", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            return True
        return False


class DoomedPort:
    """Any port, with a moment before and one after each call."""

    def __init__(self, name: str, port: Any, doom: Doom) -> None:
        self._name, self._port, self._doom = name, port, doom

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        call = getattr(self._port, method)

        async def doomed(*args: Any, **named: Any) -> Any:
            states = [argument.value for argument in args if isinstance(argument, State)]
            moment = " ".join([f"{self._name}.{method}", *states])
            self._doom.reach(f"before {moment}")
            result = await call(*args, **named)
            self._doom.reach(f"after {moment}")
            return result

        return doomed


def doom_ports(ports: Ports, doom: Doom) -> Ports:
    """The same ports, with the moments."""
    doomed: dict[str, Any] = {name: DoomedPort(name, getattr(ports, name), doom) for name in PORTS}
    return replace(ports, **doomed)


def doom_databases(doom: Doom) -> None:
    """A moment before each statement, in every database that this process opens, the engine's too."""

    @event.listens_for(Engine, "before_cursor_execute")
    def _before(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        doom.reach(f"sql {' '.join(statement.split())}")


def serve_worker(settings: Settings, doom: Doom) -> None:
    from app.worker import work  # noqa: PLC0415 - the intake has no use for what this imports

    telemetry.configure(settings.log_level)
    with only_one(settings.data_dir, "worker", patience=15):
        asyncio.run(work(settings, with_parent=False, wrap=lambda ports: doom_ports(ports, doom)))


def main() -> None:
    role, folder, *points = sys.argv[1:]
    doom = Doom(Path(folder), points)
    doom_databases(doom)
    if role == "worker":
        serve_worker(read_settings(), doom)
    else:
        serve_intake(read_settings(), with_worker=False)


if __name__ == "__main__":
    main()
