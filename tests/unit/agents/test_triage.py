import json
from pathlib import Path
from typing import Any

import pytest

from agents.changes import Repository
from agents.triage import Circumstance, Triage, circumstance, triage
from tests.fakes import FakeRepository
from tests.shop import BASE, QUIET, TRACE, broken_history, bundle_of, history

CONFIG = "kind: ConfigMap\nmetadata: {name: shop}\ndata:\n  RATE: '3'\n"


async def found(repository: FakeRepository, log: str | None = TRACE, stable: str | None = QUIET) -> Triage:
    commits = repository.shas[0], repository.shas[-1]
    return await triage(bundle_of(log, stable, commits=commits), repository, None)


async def test_traces_are_mapped_and_commits_ranked() -> None:
    repository = broken_history()
    findings = await found(repository)
    assert findings.trace is not None
    assert [frame.file for frame in findings.trace.frames] == ["shop/prices.py", "shop/app.py", "shop/app.py"]
    assert findings.signature is not None
    assert findings.signature.model_dump() == {"exception": "TypeError", "file": "shop/prices.py", "function": "price"}
    assert [commit.sha for commit in findings.commits] == list(repository.shas[:0:-1])
    assert findings.suspects[0].commit == repository.shas[3]
    assert findings.compared
    assert findings.notes == ()
    assert findings.templates[0].text.startswith("TypeError")


async def test_a_trace_that_the_stable_version_has_too_is_not_what_failed() -> None:
    assert (await found(broken_history(), TRACE, TRACE)).trace is None
    other = TRACE.replace("TypeError", "ValueError")
    findings = await found(broken_history(), TRACE + other, TRACE)
    assert findings.trace is not None
    assert findings.trace.exception == "ValueError"


async def test_of_several_traces_the_most_frequent_one_in_the_repository_counts() -> None:
    elsewhere = 'Traceback (most recent call last):\n  File "/v/site-packages/x/y.py", line 1, in f\nKeyError: 1\n'
    once = TRACE.replace("TypeError", "ValueError")
    findings = await found(broken_history(), elsewhere * 5 + once + TRACE * 2)
    assert findings.trace is not None
    assert findings.trace.exception == "TypeError"
    assert len(findings.traces) == 8


async def test_a_cut_trace_has_no_signature_to_look_for() -> None:
    findings = await found(broken_history(), TRACE[: TRACE.index("TypeError")])
    assert findings.trace is not None
    assert findings.trace.frames[0].file == "shop/prices.py"
    assert findings.signature is None


@pytest.mark.parametrize(
    ("commits", "notes"),
    [
        (
            (None, None),
            ["the canary's source revision is not known", "the stable version's source revision is not known"],
        ),
        (
            ("f" * 40, None),
            ["the canary's source revision is not known", f"revision {'f' * 40} is not in the repository"],
        ),
        (("main", "v9"), ["the canary's source revision v9 is not in the repository"]),
    ],
)
async def test_revisions_that_are_not_there_are_notes(commits: tuple[str | None, str | None], notes: list[str]) -> None:
    findings = await triage(bundle_of(commits=commits), broken_history(), None)
    assert len(findings.notes) == len(notes)
    assert all(any(note in said for said in findings.notes) for note in notes)
    assert not findings.compared
    assert findings.commits == ()
    assert findings.trace is not None


@pytest.mark.parametrize(
    ("method", "note"),
    [
        ("resolve", "the canary's source revision"),
        ("commits", "the changes of the source cannot be read: commits is refused"),
        ("files", "the source cannot be read at the canary's commit: files is refused"),
        ("read", "the source cannot be read at the canary's commit: read is refused"),
    ],
)
async def test_what_the_source_repository_refuses_is_a_note_and_not_a_crash(method: str, note: str) -> None:
    repository = broken_history()
    repository.denied.add(method)
    findings = await found(repository)
    assert any(note in said for said in findings.notes)
    assert findings.trace is not None


@pytest.mark.parametrize(
    ("method", "note", "values"),
    [
        ("resolve", "the canary's manifest revision", 0),
        ("commits", "the changes of the manifests cannot be read: commits is refused", 2),
        ("files", "the manifests cannot be read: files is refused", 0),
        ("read", "the manifests cannot be read: read is refused", 0),
    ],
)
async def test_what_the_gitops_repository_refuses_is_a_note_too(method: str, note: str, values: int) -> None:
    manifests = gitops()
    bundle = bundle_of(manifests=(manifests.shas[0], manifests.shas[-1]))
    manifests.denied.add(method)
    findings = await triage(bundle, None, manifests)
    assert any(note in said for said in findings.notes)
    assert len(findings.values) == values


def gitops() -> FakeRepository:
    renamed = CONFIG.replace("RATE", "RATIO")
    return history(
        ("Rename the rate", {"apps/shop/config.yaml": renamed}),
        ("Another service", {"apps/other/config.yaml": renamed.replace("'3'", "'4'")}),
        base={"apps/shop/config.yaml": CONFIG, "apps/other/config.yaml": CONFIG, "apps/shop/README.md": "x"},
    )


async def test_manifest_values_are_compared_in_the_applications_folder_only() -> None:
    manifests = gitops()
    findings = await triage(bundle_of(manifests=(manifests.shas[0], manifests.shas[-1])), None, manifests)
    assert {(value.file, value.key, value.old, value.new) for value in findings.values} == {
        ("apps/shop/config.yaml", "RATIO", None, "3"),
        ("apps/shop/config.yaml", "RATE", "3", None),
    }
    assert len(findings.manifest_commits) == 2


@pytest.mark.parametrize("source", [None, broken_history()], ids=["no repository", "a repository"])
@pytest.mark.parametrize("log", [None, "", "\n\n", "\0\1\2\ufffd binary \xff\n"])
async def test_without_a_readable_log_nothing_is_found_and_nothing_breaks(
    source: Repository | None, log: str | None
) -> None:
    findings = await triage(bundle_of(log), source, None)
    assert (findings.trace, findings.traces, findings.signature) == (None, (), None)
    assert ("there are no logs of the canary" in findings.notes) == (log is None)


async def test_the_same_revision_twice_is_said_so() -> None:
    repository = history(base=BASE)
    findings = await found(repository)
    assert findings.compared
    assert findings.notes == ("there is no commit between the two versions of the source",)


def run(phase: object, pod_hash: str | None = "bad") -> dict[str, Any]:
    labels = {"rollouts-pod-template-hash": pod_hash} if pod_hash else {}
    return {"metadata": {"name": f"run-{phase}", "labels": labels}, "status": {"phase": phase}}


def rollout(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "shop", "namespace": "shop"}, "status": status}


def condition(reason: str, message: str) -> list[dict[str, str]]:
    return [{"type": "Progressing", "status": "False", "reason": reason, "message": message}]


ABORTED = "Rollout aborted update to revision 2"


@pytest.mark.parametrize(
    ("runs", "status", "expected"),
    [
        ([run("Failed")], {}, "failed"),
        ([run("Error")], {}, "metric-error"),
        ([run("Error"), run("Failed")], {"abort": True}, "failed"),
        ([run("Failed", "another"), run("Error")], {}, "metric-error"),
        ([run("Error", None)], {}, "metric-error"),
        ([run("Successful")], {"abort": True}, "manual-abort"),
        ([], {"abort": True, "conditions": condition("RolloutAborted", ABORTED)}, "manual-abort"),
        ([], {"abort": True, "conditions": condition("RolloutPaused", "Rollout is paused")}, "manual-abort"),
        ([], {"abort": True, "conditions": condition("RolloutAborted", f"{ABORTED}: it timed out")}, "failed"),
        ([], {"abort": True, "conditions": condition("ProgressDeadlineExceeded", "x")}, "failed"),
        ([], {"conditions": condition("ProgressDeadlineExceeded", "x")}, "failed"),
        ([run("Inconclusive")], {"pauseConditions": [{"reason": "InconclusiveAnalysisRun"}]}, "inconclusive"),
        ([], {"pauseConditions": [{"reason": "InconclusiveExperiment"}]}, "inconclusive"),
        ([], {"pauseConditions": [{"reason": "CanaryPauseStep"}]}, "failed"),
        ([], {}, "failed"),
        ([run(["Failed"])], {"pauseConditions": [{"reason": {}}, "x"], "conditions": {}, "abort": "yes"}, "failed"),
    ],
)
@pytest.mark.parametrize("told_by", ["objects", "notification"])
def test_what_ended_the_canary(
    runs: list[dict[str, Any]], status: dict[str, Any], expected: Circumstance, told_by: str
) -> None:
    if told_by == "objects":
        objects = [("objects/rollout/shop", rollout(**status))]
        objects += [(f"objects/analysisrun/{number}", one) for number, one in enumerate(runs)]
        bundle = bundle_of(objects=objects)
    else:
        bundle = bundle_of(notification={"rollout": rollout(**status), "analysisRuns": runs})
    assert circumstance(bundle) == expected


RECORDINGS = Path(__file__).parents[2] / "recordings"


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        ("01-canary-step-analysis-failed/002", "failed"),
        ("01-canary-step-analysis-failed/004", "failed"),
        ("04-crashloop-progress-deadline-no-abort/002", "failed"),
        ("05-crashloop-progress-deadline-abort/002", "failed"),
        ("05-crashloop-progress-deadline-abort/004", "failed"),
        ("11-analysis-error-metric-503/002", "metric-error"),
        ("11-analysis-error-metric-503/004", "metric-error"),
        ("12-analysis-inconclusive-paused/002", "inconclusive"),
        ("13-manual-abort/002", "manual-abort"),
        ("13-manual-abort/003", "manual-abort"),
        ("31-manual-abort-default-surge/003", "manual-abort"),
        ("25-experiment-step-failed/004", "failed"),
    ],
)
def test_what_ended_the_canaries_that_really_failed(recording: str, expected: Circumstance) -> None:
    body = json.loads((RECORDINGS / f"{recording}.json").read_text())
    bundle = bundle_of(notification=body)
    canary = bundle.manifest.canary.model_copy(update={"hash": body["rollout"]["status"]["currentPodHash"]})
    bundle = bundle.model_copy(update={"manifest": bundle.manifest.model_copy(update={"canary": canary})})
    assert circumstance(bundle) == expected
