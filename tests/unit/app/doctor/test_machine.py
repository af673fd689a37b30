"""`selfheal doctor` without a cluster: every check that can fail is made to fail."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.evidence import Objects
from agents.policy import parse_policy
from app.doctor import Finding, document, examine
from app.doctor.cluster import read_notifications
from app.doctor.machine import check_policy, check_tokens, read_git_version
from app.doctor.rollout import check_subscription, check_window
from app.settings import Settings, read_settings
from app.store.database import Database
from app.worker import build_ports
from tests.kustomization import K8S, load_all

GOOD = "0123456789abcdef0123456789abcdef"


def settings(**values: Any) -> Settings:
    given = {"webhook_tokens": f"prod:{GOOD}", "api_tokens": f"ops:read:{GOOD[::-1]}"} | values
    return Settings(**given)


def levels(findings: Sequence[Finding]) -> list[str]:
    return [finding.level for finding in findings]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which everything is right: the environment of a service, and an empty folder for it."""
    monkeypatch.setenv("SELFHEAL_WEBHOOK_TOKENS", f"prod:{GOOD}")
    monkeypatch.setenv("SELFHEAL_API_TOKENS", f"ops:read:{GOOD[::-1]}")
    monkeypatch.setenv("SELFHEAL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SELFHEAL_SANDBOX", "process")
    return tmp_path


async def findings() -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    async for finding in examine(None, None, None):
        found.setdefault(finding.check, []).append(finding)
    return found


@pytest.mark.parametrize(
    ("token", "level", "words"),
    [
        ("$selfheal-token", "fail", "literal"),
        ("<token>", "fail", "placeholder"),
        ("REPLACE-ME", "fail", "placeholder"),
        ("short", "warn", "5 characters"),
        (GOOD, "ok", "may come from prod"),
    ],
)
def test_a_token_that_is_none_is_seen_and_not_shown(token: str, level: str, words: str) -> None:
    (finding,) = check_tokens(settings(webhook_tokens=f"prod:{token}"))
    assert (finding.level, words in finding.text) == (level, True)
    assert token in {"$selfheal-token", "short", "<token>"} or token not in finding.model_dump_json()


def test_a_policy_that_allows_nothing_is_told_and_an_image_that_leads_nowhere_too() -> None:
    assert levels([*check_policy(settings(), parse_policy("repositories: []"))]) == ["warn"]
    text = "repositories: [{match: https://git.example/a/*}]\nimages: [{match: '*', repo: https://git.example/b/x}]"
    allowed, image = check_policy(settings(), parse_policy(text))
    assert (allowed.level, image.level) == ("ok", "warn")
    assert "no entry" in image.text


async def test_settings_that_are_wrong_end_the_examination(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFHEAL_POLICY", str(here / "nowhere.yaml"))
    found = await findings()
    assert (list(found), levels(found["settings"])) == (["settings"], ["fail"])


async def test_a_data_folder_that_cannot_be_written_is_a_failure(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "file").write_text("")
    monkeypatch.setenv("SELFHEAL_DATA_DIR", str(here / "file" / "data"))
    found = await findings()
    assert levels(found["data folder"]) == ["fail"]


async def test_git_and_the_sandbox_are_really_started(here: Path) -> None:
    del here
    found = await findings()
    assert found["git"][0].text.startswith("git version")
    assert levels(found["sandbox"]) == ["warn"]
    assert "isolates nothing" in found["sandbox"][0].text


@pytest.mark.parametrize(
    ("told", "level"),
    [
        ("git version 2.39.5", "ok"),
        ("git version 2.31.0", "ok"),
        ("git version 3.0.0-rc1", "ok"),
        ("git version 2.30.2 (Apple Git-1)", "fail"),
        ("git version 1.99", "fail"),
        ("something else", "fail"),
    ],
)
def test_a_git_that_is_too_old_is_named(told: str, level: str) -> None:
    finding = read_git_version(told)
    assert (finding.level, told in finding.text) == (level, True)
    assert level == "ok" or "2.31" in str(finding.todo)


async def test_what_a_service_beside_it_works_on_is_left_alone(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFHEAL_SANDBOX_DIR", str(here / "sandbox"))
    owner = hashlib.sha256(str((here / "data").resolve()).encode()).hexdigest()[:12]
    tree = here / "sandbox" / f"tree-{owner}-in-use"
    tree.mkdir(parents=True)
    await findings()
    assert tree.is_dir()
    await build_ports(read_settings(), Database(f"sqlite:///{here}/store.sqlite"))
    assert not tree.exists(), "a service that starts does sweep it"


@pytest.mark.usefixtures("needs_bubblewrap", "here")
async def test_a_box_that_starts_is_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFHEAL_SANDBOX", "bubblewrap")
    found = await findings()
    assert [one.model_dump() for one in found["sandbox"]] == [
        {"check": "sandbox", "level": "ok", "text": "a box starts, and the data folder is not in it", "todo": None}
    ]


@pytest.fixture
def forge(tmp_path: Path) -> Path:
    """The folder of a local forge with one repository."""
    folder = tmp_path / "forge"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "trunk", str(folder / "shop.git")], check=True)
    return folder


async def test_a_repository_that_the_policy_names_is_opened(
    here: Path, forge: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [f"file://{forge}/shop.git", f"file://{forge}/lost.git"]
    policy = here / "policy.yaml"
    policy.write_text("repositories:\n" + "".join(f"- match: {url}\n" for url in urls))
    monkeypatch.setenv("SELFHEAL_FORGE_DIR", str(forge))
    monkeypatch.setenv("SELFHEAL_POLICY", str(policy))
    found = await findings()
    assert levels(found["forge"]) == ["ok", "fail"]
    assert "trunk" in found["forge"][0].text


async def test_without_a_cluster_that_is_said(here: Path) -> None:
    del here
    found = await findings()
    assert levels(found["cluster"]) == ["warn"]
    assert document([one for some in found.values() for one in some])["healthy"] is True


async def test_the_evidence_folder_serves_as_a_cluster(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "bundles").mkdir()
    monkeypatch.setenv("SELFHEAL_BUNDLES", str(here / "bundles"))
    found = [one async for one in examine(None, "shop", "checkout")]
    assert [one.level for one in found if one.check == "rollout"] == ["fail"]


def shipped() -> dict[str, Any]:
    (thing,) = load_all(K8S / "components" / "argo" / "notifications.yaml")
    return thing


def test_the_notifications_that_are_shipped_are_right() -> None:
    (finding,) = read_notifications(Objects(status="ok", objects=(shipped(),)))
    assert finding.level == "ok"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("service.webhook.selfheal", None, "no service.webhook.selfheal"),
        ("service.webhook.selfheal", "url: http://x", "no Authorization"),
        ("service.webhook.selfheal", "url: http://x\nretryWaitMin: 1s\nbasicAuth: {username: a}", "nanoseconds"),
        ("defaultTriggers.selfheal", "[on-rollout-aborted]", "lacks on-analysis-run-error"),
        ("trigger.on-rollout-aborted", None, "no trigger.on-rollout-aborted"),
        ("template.selfheal-on-rollout-aborted", "webhook: {selfheal: {path: /}}", "does not post"),
        ("template.other", "a: [", "silences every notification"),
    ],
)
def test_a_mistake_in_the_notifications_is_named(key: str, value: str | None, words: str) -> None:
    thing = shipped()
    data = {name: text for name, text in thing["data"].items() if name != key} | ({key: value} if value else {})
    found = list(read_notifications(Objects(status="ok", objects=(thing | {"data": data},))))
    assert all(finding.level == "warn" for finding in found)
    assert any(words in finding.text for finding in found)


def test_notifications_that_cannot_be_read_are_explained_with_the_literal_token() -> None:
    (finding,) = read_notifications(Objects(status="denied", reason="forbidden"))
    assert finding.level == "warn"
    assert "$selfheal-token" in str(finding.todo)


def test_a_rollout_that_nobody_is_told_about_is_seen() -> None:
    bare: dict[str, Any] = {"metadata": {"annotations": {"selfheal.io/enabled": "false"}}, "spec": {}}
    subscribed = {"metadata": {"annotations": {"notifications.argoproj.io/subscribe.selfheal": ""}}}
    assert levels([*check_subscription(bare, "shop", "checkout")]) == ["warn", "warn"]
    assert levels([*check_subscription(subscribed, "shop", "checkout")]) == ["ok"]
    (finding,) = check_subscription({}, "shop", "checkout")
    assert "kubectl -n shop annotate rollout checkout" in str(finding.todo)


def test_a_short_window_is_seen() -> None:
    spec: dict[str, Any] = {"progressDeadlineAbort": True, "strategy": {"canary": {"trafficRouting": {}}}}
    (finding,) = check_window({"spec": spec})
    assert "30 s" in finding.text
    spec["strategy"]["canary"]["abortScaleDownDelaySeconds"] = 300
    assert list(check_window({"spec": spec})) == []


def test_the_command_prints_one_document_and_its_exit_code_says_whether_something_failed(here: Path) -> None:
    command = [sys.executable, "-m", "app.cli", "doctor", "--json"]
    environment = {**os.environ, "SELFHEAL_WEBHOOK_TOKENS": "prod:$selfheal-token"}  # noqa: TID251
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=here)
    told = json.loads(done.stdout)
    assert (done.returncode, told["healthy"]) == (1, False), done.stderr
    assert {"check", "level", "text", "todo"} == told["checks"][0].keys()
    wrong = subprocess.run([*command, "--rollout", "x"], capture_output=True, text=True, check=False, cwd=here)
    assert (wrong.returncode, "name its --namespace" in wrong.stderr) == (2, True)
