"""Input that nothing good can come of, through the real intake, graph and adapters: each ends, and says why."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.adapters.bundle_dir import BundleDirectory
from app.api.auth import Doorkeeper
from app.api.wiring import Wiring
from app.clock import utc_now
from app.data_folder import checkpoint_file, store_url
from app.demo.staging import CLUSTER
from app.intake import Intake
from app.jobs import Healer, open_saver
from app.main import assemble
from app.settings import Settings
from app.store.database import Database, migrate
from app.worker import build_ports
from tests.e2e.house import Failure
from tests.fakes import FakeQueue

TOKEN = "a-token-for-everything"
NOWHERE = "0123456789abcdef" * 2 + "01234567"


@dataclass(frozen=True)
class Ending:
    """What an incident came to."""

    incident: dict[str, Any]
    left: list[str]
    """Branches, pull requests and issues in the forge."""
    pull_request: dict[str, Any] | None
    issue: dict[str, Any] | None

    @property
    def said(self) -> str:
        return str(self.incident["detail"])


async def heal(failure: Failure, policy: str | None = None) -> Ending:
    """One notification, taken all the way in this process."""
    forge = failure.folder / "forge"
    (failure.folder / "policy.yaml").write_text(
        policy or f"repositories:\n  - match: {json.dumps(forge.as_uri() + '/*')}\n"
    )
    settings = Settings(
        data_dir=failure.folder / "data",
        webhook_tokens=SecretStr(f"{CLUSTER}:{TOKEN}"),
        api_tokens=SecretStr(f"tests:read:{TOKEN}"),
        bundles=failure.folder / "bundles",
        forge_dir=forge,
        policy=failure.folder / "policy.yaml",
        sandbox_dir=failure.folder / "sandbox",
    )
    settings.data_dir.mkdir()
    migrate(store_url(settings.data_dir))
    db, queue = Database(store_url(settings.data_dir)), FakeQueue()
    saver = await open_saver(checkpoint_file(settings.data_dir))
    try:
        return await _through(failure, settings, db, queue, Healer(await build_ports(settings, db), saver))
    finally:
        await saver.conn.close()
        await db.close()


async def _through(failure: Failure, settings: Settings, db: Database, queue: FakeQueue, healer: Healer) -> Ending:
    cluster = BundleDirectory(failure.folder / "bundles")

    async def opened() -> FakeQueue:
        return queue

    steps = Intake(db, cluster, opened, utc_now)
    wiring = Wiring(
        db=db,
        intake=steps,
        doorkeeper=Doorkeeper(settings),
        cluster=cluster,
        clusters=(CLUSTER,),
        metrics_open=False,
        now=utc_now,
    )
    transport = httpx.ASGITransport(app=assemble(wiring))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://selfheal", headers=headers) as client:
        answer = await client.post("/webhooks/argo-rollouts", content=failure.body)
        assert answer.status_code == 202
        await steps.settle()
        (attempt,) = queue.entries
        await healer.run(attempt)
        shown = (await client.get(f"/api/v1/incidents/{answer.json()['incident']}")).json()
    records = {
        kind: [json.loads(path.read_text()) for path in (failure.folder / "forge").rglob(f"*.{kind}/*.json")]
        for kind in ("pulls", "issues")
    }
    left = [path.name for path in (failure.folder / "forge").rglob("refs/heads/selfheal/*")]
    left += [record["url"] for kind in records.values() for record in kind]
    return Ending(shown, left, *(next(iter(records[kind]), None) for kind in ("pulls", "issues")))


def rewrite(failure: Failure, pattern: str, change: Callable[[str], str | None]) -> None:
    """Change evidence as it lies there; None takes it away."""
    found = sorted((failure.folder / "bundles").rglob(pattern))
    assert found
    for path in found:
        text = change(path.read_text())
        if text is None:
            path.unlink()
        else:
            path.write_text(text)


ALLOWED_TO_NOBODY = "repositories: []\n"


def without_repository(failure: Failure) -> None:
    shutil.rmtree(failure.folder / failure.repository)


def with_broken_repository(failure: Failure) -> None:
    shutil.rmtree(failure.folder / failure.repository / "objects")


def with_unknown_revisions(failure: Failure) -> None:
    annotation = re.compile(r'("selfheal.io/source-revision": )"[0-9a-f]+"')
    rewrite(failure, "*.json", lambda text: annotation.sub(rf'\1"{NOWHERE}"', text))


def with_a_revision_that_is_an_option(failure: Failure) -> None:
    annotation = re.compile(r'("selfheal.io/source-revision": )"[0-9a-f]+"')
    rewrite(failure, "*.json", lambda text: annotation.sub(r'\1"--output=/tmp/x"', text))


def without_logs(failure: Failure) -> None:
    rewrite(failure, "*.log", lambda _text: None)


def with_empty_logs(failure: Failure) -> None:
    rewrite(failure, "*.log", lambda _text: "")


def without_traces(failure: Failure) -> None:
    spoken = re.compile(r" (INFO|ERROR) ")
    rewrite(failure, "*.log", lambda text: "".join(f"{one}\n" for one in text.splitlines() if spoken.search(one)))


def without_evidence(failure: Failure) -> None:
    shutil.rmtree(failure.folder / "bundles" / CLUSTER)


@pytest.mark.parametrize(
    ("spoil", "category", "says", "issues"),
    [
        (without_logs, "unknown", "there are no logs of the canary", 1),
        (with_empty_logs, "unknown", "there are no logs of the canary", 1),
        (without_evidence, "unknown", "the source repository is not known", 0),
        # only the image differs between the versions: the cause is code, and no more is said than that
        (without_repository, "code", "the source repository cannot be read: there is no bare repository at ", 1),
        (with_broken_repository, "code", "the source repository cannot be read: git fetch: ", 1),
        (with_unknown_revisions, "code", f"annotations of the ReplicaSet: {NOWHERE} is no commit or tag of ", 1),
        (with_a_revision_that_is_an_option, "code", "ReplicaSet: --output=/tmp/x is no commit or tag of ", 1),
        (without_traces, "code", "no pull request: the cause is code, but no change is known to have done it", 1),
    ],
)
async def test_what_nothing_can_come_of_ends_in_an_honest_report(
    failure: Failure, tmp_path: Path, spoil: Callable[[Failure], None], category: str, says: str, issues: int
) -> None:
    """In the repository too, where there is one."""
    ground = failure.move(tmp_path / "ground")
    spoil(ground)
    ending = await heal(ground)
    assert ending.incident["state"] == "reported"
    assert says in ending.said
    assert "\n" not in ending.said
    diagnosis = ending.incident["diagnosis"]
    assert (diagnosis["category"], diagnosis["confidence"], diagnosis["location"]) == (category, "low", None)
    assert diagnosis["culprit_commit"] is None
    assert ending.incident["attempts"][0]["timeline"][-1]["detail"] == ending.said
    assert len(ending.left) == issues
    assert (ending.issue is not None) == bool(issues)


async def test_a_log_without_a_trace_is_said_to_be_one(failure: Failure, tmp_path: Path) -> None:
    ground = failure.move(tmp_path / "ground")
    without_traces(ground)
    summary = (await heal(ground)).incident["diagnosis"]["summary"]
    assert summary == (
        "the canary's logs hold errors that the stable version's do not, but no traceback; of what was deployed only "
        "the images differ, so it lies in the code"
    )


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(ALLOWED_TO_NOBODY, id="nobody is allowed"),
        pytest.param("repositories:\n  - match: https://git.example/*\n", id="others are allowed"),
    ],
)
async def test_a_repository_that_the_policy_does_not_allow_is_not_even_read(
    failure: Failure, tmp_path: Path, policy: str
) -> None:
    ground = failure.move(tmp_path / "ground")
    ending = await heal(ground, policy)
    url = (ground.folder / ground.repository).as_uri()
    assert ending.incident["state"] == "reported"
    assert f"the policy has no entry for the source repository {url}" in ending.said
    assert ending.left == []
    assert not (ground.folder / "data" / "mirrors").exists()


async def test_without_a_sandbox_the_fix_is_a_draft_that_says_so_first(
    failure: Failure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ending = await heal(failure.move(tmp_path / "ground"))
    assert ending.incident["state"] == "proposed"
    assert ending.said.startswith("draft pull request: ")
    assert ending.pull_request is not None
    assert ending.pull_request["draft"]
    first, _, rest = ending.pull_request["body"].partition("\n")
    assert first == "Not verified: no sandbox: bubblewrap is not installed (package bubblewrap)"
    assert "red before" not in rest
    verification = ending.incident["verification"]
    assert verification["verdict"] == "unverified"
    checks = [verification[name]["result"] for name in ("before", "after", "tests_before", "tests_after")]
    assert checks == ["not_run"] * 4
    assert list((tmp_path / "ground" / "sandbox").iterdir()) == []
