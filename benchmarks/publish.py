"""`publish`: what one pull request asks of GitHub, in requests to its API; the tests' pretended GitHub counts them.

`fresh`: nothing is there yet, not even the label. `again`: the same incident once more, by a process that has just
started, as after a crash. `joined`: another incident with the same cure. `issue`: an incident without a pull request.
What git fetches is not counted.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from agents.outcome import Reported
from agents.pull_request import Joined, Proposed
from benchmarks import Result
from tests.concluding import concluded
from tests.github_server import READER, WRITER, Call, GitHubServer, Grant
from tests.github_server.clients import WRITER_TOKEN

MOST_CALLS = {"fresh": 19, "again": 8, "joined": 7, "issue": 15}
"""What is promised."""
REPORTER = "ghp_reporter"
RUNS = (
    ("fresh", WRITER_TOKEN, "acme/shop", "0" * 32, Proposed),
    ("again", WRITER_TOKEN, "acme/shop", "0" * 32, Proposed),
    ("joined", WRITER_TOKEN, "acme/shop", "1" * 32, Joined),
    ("issue", REPORTER, "acme/till", "0" * 32, Reported),
)


def measure() -> Result:
    """Publish, publish again, join, report; each by a client of its own."""
    figures: dict[str, dict[str, int]] = {}
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-") as folder:
        server = GitHubServer(Path(folder) / "github")
        server.hub.grants |= {
            WRITER_TOKEN: Grant("selfheal", WRITER),
            REPORTER: Grant("selfheal", {**READER, "issues": "write"}),
        }
        for name in ("acme/shop", "acme/till"):
            server.hub.create(name).push("main", {"shop/app.py": "price = 1\n", "CODEOWNERS": "* @ben\n"})
        with server.running():
            for name, token, repository, incident, ending in RUNS:
                first, shop = len(server.calls), server.hub.repositories[repository]
                outcome = asyncio.run(concluded(server, shop, Path(folder) / name, token, incident=incident))
                figures[name] = _figures(server.calls[first:])
                if not isinstance(outcome, ending):
                    faults.append(f"{name} ended as {outcome}")
    faults += [f"{name} took more than {most}" for name, most in MOST_CALLS.items() if figures[name]["calls"] > most]
    baselines = {name: {"calls": most} for name, most in MOST_CALLS.items()}
    return Result(figures=figures, baselines=baselines, faults=tuple(faults))


def _figures(calls: Sequence[Call]) -> dict[str, int]:
    asked = [call for call in calls if not call.path.endswith(("/info/refs", "/git-upload-pack"))]
    return {"calls": len(asked), "writes": sum(call.method != "GET" for call in asked)}
