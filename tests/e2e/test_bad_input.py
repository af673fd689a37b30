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
    """The fix, else the pin."""
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
    records["pulls"].sort(key=lambda record: record["head"].endswith("-pin"))
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
    ("spoil", "says"),
    [
        (without_logs, "there are no logs of the canary"),
        (with_empty_logs, "there are no logs of the canary"),
        (without_evidence, "the source repository is not known"),
    ],
)
async def test_where_nothing_is_known_the_report_says_why(
    failure: Failure, tmp_path: Path, spoil: Callable[[Failure], None], says: str
) -> None:
    ground = failure.move(tmp_path / "ground")
    spoil(ground)
    ending = await heal(ground)
    assert (ending.incident["state"], ending.pull_request) == ("reported", None)
    assert says in ending.said
    assert "\n" not in ending.said
    assert_nothing_is_claimed(ending, "unknown")
    assert ending.incident["attempts"][0]["timeline"][-1]["detail"] == ending.said
    assert (ending.issue is None) == (spoil is without_evidence)  # then no repository is known to tell it in


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (without_repository, "the source repository cannot be read: there is no bare repository at "),
        (with_broken_repository, "the source repository cannot be read: git fetch: "),
        (with_unknown_revisions, f"annotations of the ReplicaSet: {NOWHERE} is no commit or tag of "),
        (with_a_revision_that_is_an_option, "ReplicaSet: --output=/tmp/x is no commit or tag of "),
        (without_traces, "commits between the versions did it, nothing tells"),
    ],
)
async def test_where_only_the_image_differs_the_stable_one_is_offered_and_no_more_is_claimed(
    failure: Failure, tmp_path: Path, spoil: Callable[[Failure], None], says: str
) -> None:
    ground = failure.move(tmp_path / "ground")
    spoil(ground)
    ending = await heal(ground)
    assert ending.incident["state"] == "proposed"
    assert ending.pull_request is not None
    assert ending.pull_request["draft"]
    assert ending.pull_request["body"].startswith("**Rolls back, does not cure:**")
    assert re.sub(r"[\\`]", "", says) in re.sub(r"[\\`]", "", ending.pull_request["body"])
    assert_nothing_is_claimed(ending, "code")
    assert len(ending.left) == 2  # the pull request and its branch


def assert_nothing_is_claimed(ending: Ending, category: str) -> None:
    """No place and no commit, with the lowest confidence."""
    diagnosis = ending.incident["diagnosis"]
    assert (diagnosis["category"], diagnosis["confidence"], diagnosis["location"]) == (category, "low", None)
    assert diagnosis["culprit_commit"] is None


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
