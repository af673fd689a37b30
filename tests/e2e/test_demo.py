"""The demo as people run it: both scenarios, under other names, with and without bubblewrap."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.demo import ON_REQUEST, SCENARIOS, Play, config, exception, golang, latency, play, skipped
from app.demo.story import Names, Scenario
from tests.scratch import WHO

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-P", "-m", "app.cli", "demo"]
SECONDS = 120
OTHER_NAMES = {
    "odd": (
        Names(route="/~price_list.json", module="_größe2", key="Ω", exception="E"),
        Names(route="/v1.0/a-b", module="__conf__", key="x.y", exception="ÉchecDeDémarrage"),
    ),
    "unlucky": (
        Names(route="/api/v2/orders", module="latest", key="europa-2", exception="LookupFailure"),
        # read backwards it is the same; a word that the code has, too
        Names(route="/feed", module="feed", key="FEED_FEED", exception="KeyMissingError"),
    ),
}


def git(folder: Path, *argv: str) -> str:
    command = ["git", "-c", "core.quotePath=false", f"--git-dir={folder}", *argv]
    return subprocess.run(command, env=WHO, capture_output=True, text=True, check=True).stdout


def commit_called(repository: Path, subject: str) -> str:
    lines = git(repository, "log", "--format=%H %s", "main").splitlines()
    (sha,) = [line.split(" ")[0] for line in lines if line.partition(" ")[2] == subject]
    return sha


def line_of(repository: Path, sha: str, path: str, text: str) -> int:
    lines = git(repository, "show", f"{sha}:{path}").splitlines()
    (number,) = [at for at, line in enumerate(lines, 1) if line.lstrip().startswith(text)]
    return number


def check_play(one: Play, repository: Path, culprit: str, location: Mapping[str, Any], kind: str) -> None:
    document = one.document
    assert one.healed, one.incident["detail"]
    diagnosis = document["diagnosis"]
    assert diagnosis["culprit_commit"] == commit_called(repository, culprit)
    assert diagnosis["culprit_commit"] != git(repository, "rev-parse", "main~0").strip()
    assert diagnosis["location"] == location
    assert diagnosis["confidence"] == "high"
    assert document["patch"] == {"files": [location["file"]]}
    assert document["verification"] == {"kind": kind, "before": "failed", "after": "passed"}
    assert [one.incident["verification"][name]["result"] for name in ("tests_before", "tests_after")] == ["passed"] * 2
    branch = document["pull_request"]["branch"]
    assert git(repository, "rev-list", "--count", f"main..{branch}").strip() == "1"
    assert git(repository, "diff", "--name-only", "main", branch).splitlines() == [location["file"]]
    assert 0 < document["seconds"] < SECONDS
    assert list(one.stages) == ["received", "capturing", "diagnosing", "fixing", "verifying", "publishing"]


def own_tests(workdir: Path, scenario: Scenario) -> "subprocess.CompletedProcess[str]":
    """The repository's own tests on what was deployed as the canary."""
    return subprocess.run(
        [sys.executable, "-m", "unittest", "discover", "-s", "tests"],
        cwd=workdir / "images" / f"{scenario.service}-{scenario.images[1]}",
        env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def processes_about(workdir: Path) -> list[str]:
    """Processes that were told of a folder, by their command line or environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if str(workdir).encode() in told and int(folder.name) != os.getpid():
            found.append(told.replace(b"\0", b" ").decode("utf-8", "replace")[:200])
    return found


@pytest.mark.usefixtures("needs_bubblewrap")
@pytest.mark.parametrize("which", OTHER_NAMES)
def test_both_scenarios_are_healed_whatever_their_code_calls_things(
    which: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = OTHER_NAMES[which]
    scenarios = (exception.scenario(names[0]), config.scenario(names[1]))
    plays = play(scenarios, tmp_path, as_json=False)
    shop, gitops = tmp_path / "forge/acme/shop.git", tmp_path / "forge/acme/deploy-catalog.git"
    path, manifest = f"shop/{names[0].module}.py", "apps/catalog/configmap.yaml"
    raised = line_of(shop, commit_called(shop, "Charge only agreed tax rates"), path, "raise ")
    (renamed,) = scenarios[1].canary_config.keys() - scenarios[1].stable_config.keys()
    keyed = line_of(gitops, "main", manifest, f"{renamed}:")
    check_play(
        plays[0],
        shop,
        "Charge only agreed tax rates",
        {"file": path, "line": raised, "function": "rate_for"},
        "replay",
    )
    check_play(
        plays[1],
        gitops,
        "Name configuration keys after what they are",
        {"file": manifest, "line": keyed, "function": None},
        "start",
    )
    for scenario in scenarios:
        done = own_tests(tmp_path, scenario)
        assert (done.returncode, "Ran 2 tests" in done.stderr) == (0, True), done.stderr
    printed = capsys.readouterr().out
    for word in (
        "diagnosing",
        "fixing",
        f"{path}:{raised} in rate_for",
        "Set up in",
        "2 of 2 healed",
        "shop.pulls/1.md",
    ):
        assert word in printed
    assert processes_about(tmp_path) == []


@pytest.mark.skipif(
    not os.environ.get("TEST_GO_DEMO"),  # noqa: TID251 - no setting of the service
    reason="Go compiles its libraries four times: set TEST_GO_DEMO, or run `make bench ONLY=loop`",
)
@pytest.mark.skipif(golang.obstacle() is not None, reason=f"{golang.obstacle()}")
@pytest.mark.usefixtures("needs_bubblewrap")
def test_a_service_in_go_is_compiled_and_healed_in_the_sandbox(tmp_path: Path) -> None:
    (one,) = play((golang.scenario(),), tmp_path, as_json=True)
    depot, path = tmp_path / "forge/acme/depot.git", "ledger/ledger.go"
    assert one.healed, one.incident["detail"]
    diagnosis = one.document["diagnosis"]
    assert diagnosis["culprit_commit"] == commit_called(depot, "Reserve without opening a warehouse again each time")
    failing = line_of(depot, diagnosis["culprit_commit"], path, "l.count[warehouse][article]++")
    assert (diagnosis["location"]["file"], diagnosis["location"]["line"]) == (path, failing)
    assert one.document["patch"] == {"files": [path]}
    assert one.document["verification"] == {"kind": "replay", "before": "failed", "after": "passed"}
    tests = [one.incident["verification"][name]["result"] for name in ("tests_before", "tests_after")]
    assert tests == ["passed"] * 2, one.incident["verification"]
    assert processes_about(tmp_path) == []


def test_without_a_toolchain_the_scenario_in_go_is_skipped_and_that_is_no_error(tmp_path: Path) -> None:
    searched = golang.obstacle(str(tmp_path))
    assert searched == f"no Go toolchain in {tmp_path}"
    assert skipped(("go",), {"go": lambda: searched}) == {"go": searched}
    assert skipped((), {"go": lambda: searched}) == {"go": searched}
    assert "by name" in skipped((), {"go": lambda: None})["go"]
    assert skipped(("go",), {"go": lambda: None}) == {}


KEYS = ["scenario", "incident", "diagnosis", "patch", "verification", "pull_request", "seconds"]
DIAGNOSIS = ["category", "summary", "confidence", "location", "culprit_commit", "suspects", "claims", "strategy"]


def test_as_json_it_prints_one_document_and_without_bubblewrap_it_says_so(tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [*COMMAND, "--scenario", "exception", "--json"],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    document = json.loads(line)
    assert list(document) == KEYS
    assert list(document["diagnosis"]) == DIAGNOSIS
    assert list(document["diagnosis"]["location"]) == ["file", "line", "function"]
    assert list(document["verification"].items()) == [("kind", "replay"), ("before", "failed"), ("after", "passed")]
    assert list(document["pull_request"]) == ["url", "branch", "base"]
    assert re.fullmatch("[0-9a-f]{32}", document["incident"])
    assert re.fullmatch("[0-9a-f]{40}", document["diagnosis"]["culprit_commit"])
    assert "bubblewrap is not installed: " in done.stderr
    assert "plain process" in done.stderr
    assert "Root cause" in done.stderr
    assert processes_about(tmp_path) == []


def test_a_scenario_that_is_not_there_is_refused_by_name_before_anything_is_done(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--scenario", "exception", "--scenario", "nonesuch"],
        env={"PATH": os.defpath, "TMPDIR": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert (
        done.stderr == f"selfheal: there is no scenario 'nonesuch'; there are {', '.join((*SCENARIOS, *ON_REQUEST))}\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_is_told_to_stop_takes_its_service_with_it(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "--scenario", "config"],
            env={"PATH": os.defpath, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    try:
        until = time.monotonic() + SECONDS
        while b"Set up in" not in (tmp_path / "out").read_bytes() and time.monotonic() < until:
            assert process.poll() is None, (tmp_path / "out").read_text()
            time.sleep(0.1)
        process.terminate()
        assert process.wait(timeout=40) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
    assert processes_about(tmp_path) == []


def test_the_core_knows_nothing_of_the_demo() -> None:
    told = {"storefront", "acme", "selfheal-demo", "app.demo"}
    for make in (*SCENARIOS.values(), *ON_REQUEST.values()):
        scenario = make()
        told |= {scenario.service, *scenario.images, *scenario.paths}
        told |= {change.subject for history in (scenario.source, scenario.deploy) for change in history.changes}
        told |= {change.author for history in (scenario.source, scenario.deploy) for change in history.changes}
        told |= scenario.canary_config.keys() ^ scenario.stable_config.keys()
    for names in (exception.NAMES, config.NAMES, latency.NAMES, golang.NAMES):
        told |= {names.route, names.key, names.exception, f"{names.module}.py"} - {""}
    core = {
        path: path.read_text()
        for name in ("agents", "prompts")
        for path in (ROOT / name).rglob("*.*")
        if path.suffix != ".pyc"
    }
    assert len(core) > 40
    known = [
        (path.name, word)
        for path, text in core.items()
        for word in told
        if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)
    ]
    assert known == []
