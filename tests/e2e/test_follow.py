"""A report whose rollout gets well: the real service closes its issue, whenever it hears of it."""

import json
from pathlib import Path
from typing import Any

from tests.e2e.house import Failure, house_on


def completed(failure: Failure, pod_hash: str) -> bytes:
    """What Argo Rollouts posts when the version after the failed one has passed."""
    body: dict[str, Any] = json.loads(failure.body)
    rollout = body["rollout"]
    rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"] = "9"
    rollout["status"] |= {"currentPodHash": pod_hash, "phase": "Progressing"}
    return json.dumps(body | {"trigger": "on-rollout-completed", "analysisRuns": []}).encode()


def test_the_issue_of_a_report_is_closed_when_the_next_version_passes(failure: Failure, tmp_path: Path) -> None:
    ground = failure.move(tmp_path / "ground")
    match = json.dumps((ground.folder / "forge").as_uri() + "/*")
    (ground.folder / "policy.yaml").write_text(f"repositories:\n  - match: {match}\n    deny: ['**']\n")
    with house_on(ground) as house:
        assert house.wait_ready(house.serve("all"))
        incident = house.notify()
        assert incident is not None
        assert house.wait_state(incident)["state"] == "reported"
        (path,) = (ground.folder / "forge").rglob("*.issues/*.json")
        assert json.loads(path.read_text())["state"] == "open"
        house.notify(completed(ground, "5f4dcc3b5a"))

        def closed() -> dict[str, Any] | None:
            record: dict[str, Any] = json.loads(path.read_text())
            return record if record["state"] == "closed" else None

        record = house.wait(closed, 20)
        (comment,) = record["comments"]
        assert "revision `9` (`5f4dcc3b5a`) passed its canary" in comment["body"]
        found = house.ask(f"/{incident}/audit")
        assert found is not None
        assert "the issue was closed" in json.dumps(found)
        assert house.wait_state(incident)["state"] == "reported"
