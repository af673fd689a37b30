"""`selfheal trigger` and `selfheal incidents` against a running service, as an operator would type them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.stage import ROOT, environment, free_port, process, wait_for

BODY = (Path(__file__).resolve().parents[1] / "recordings" / "01-canary-step-analysis-failed" / "002.json").read_bytes()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """An intake that knows one incident: its address, and the incident's id."""
    workdir, port = tmp_path_factory.mktemp("service"), free_port()
    for name in ("forge", "bundles"):
        (workdir / name).mkdir()
    url = f"http://127.0.0.1:{port}"
    env = environment(workdir, port) | {"SELFHEAL_API_TOKENS": "ops:read+trigger:api"}
    with process("intake", env, workdir):
        wait_for(lambda: httpx.get(f"{url}/readyz").status_code == 200, 30)
        answer = httpx.post(f"{url}/webhooks/argo-rollouts", content=BODY, headers={"Authorization": "Bearer hook"})
        incident = answer.json()["incident"]
        shown = f"{url}/api/v1/incidents/{incident}"
        wait_for(lambda: httpx.get(shown, headers={"Authorization": "Bearer api"}).status_code == 200, 30)
        yield url, incident


def selfheal(url: str, *arguments: str, token: str = "api") -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.defpath, "SELFHEAL_URL": url, "SELFHEAL_API_TOKEN": token}
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_incidents_are_listed_and_shown(service: tuple[str, str]) -> None:
    url, incident = service
    listed = selfheal(url, "incidents", "list")
    assert listed.returncode == 0
    assert incident in listed.stdout
    assert "checkout" in listed.stdout
    assert selfheal(url, "incidents", "list", "--state", "failed").stdout == "no incidents\n"
    shown = selfheal(url, "incidents", "show", incident)
    assert "received" in shown.stdout
    document = json.loads(selfheal(url, "incidents", "show", incident, "--json").stdout)
    assert document["id"] == incident


def test_a_trigger_joins_the_attempt_in_progress(service: tuple[str, str]) -> None:
    url, incident = service
    done = selfheal(url, "trigger", "--namespace", "shop", "--rollout", "checkout")
    assert (done.returncode, done.stdout) == (0, f"joined attempt {incident}-1\n")


@pytest.mark.parametrize(
    ("arguments", "token", "says"),
    [
        (("incidents", "list"), "wrong", "401: an API token is needed"),
        (("incidents", "show", "0" * 32), "api", "404: there is no incident"),
        (("incidents", "show", "../../readyz"), "api", "is not the id of an incident"),
        (("trigger", "--namespace", "shop", "--rollout", "nobody"), "api", "404: no failed canary of shop/nobody"),
    ],
)
def test_what_the_service_refuses_is_told(
    service: tuple[str, str], arguments: tuple[str, ...], token: str, says: str
) -> None:
    done = selfheal(service[0], *arguments, token=token)
    assert done.returncode == 2
    assert says in done.stderr


def test_a_service_that_is_not_there_is_told() -> None:
    done = selfheal(f"http://127.0.0.1:{free_port()}", "incidents", "list")
    assert done.returncode == 1
    assert "is the service running there?" in done.stderr
