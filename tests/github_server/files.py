"""What a pull request changes, as the pretended GitHub lists it: since the base branch and its head parted."""

from typing import Any

from tests.github_server.hub import Repository, demand
from tests.github_server.routing import Request, Routes

routes = Routes()
MODES = {"added": "new file mode", "removed": "deleted file mode"}
MOST_PATCH = 20_000
"""Characters of one file's patch; GitHub leaves a longer one out."""


@routes.on("GET", r"pulls/(?P<number>\d+)/files")
def list_files(request: Request, repository: Repository, number: str) -> Any:
    demand(request.grant, repository, "pull_requests", "read")
    pull = repository.thread(int(number))
    diff = repository.git_bytes("diff", "--no-renames", f"{pull.base}...{pull.head}").decode()
    return request.page([_file(part) for part in f"\n{diff}".split("\ndiff --git ")[1:]])


def _file(part: str) -> dict[str, Any]:
    head, at, hunks = part.partition("\n@@")
    lines = head.splitlines()
    name = lines[0].partition(" b/")[2]
    status = next(
        (one for one in ("added", "removed") if any(line.startswith(MODES[one]) for line in lines)), "modified"
    )
    found: dict[str, Any] = {"sha": "0" * 40, "filename": name, "status": status}
    return found | ({"patch": f"@@{hunks}"} if at and len(hunks) < MOST_PATCH else {})
