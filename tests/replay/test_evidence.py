"""For every recorded failure, the bundle holds what decides its cause. Each row is derived from `expected` there.

`<item pattern>: <regular expression>`; the item may be named with `*`.
"""

import fnmatch
import re
from pathlib import Path

import pytest

from agents.evidence import Bundle
from tests.replay.capturing import LATE_ABORT, capture_recorded
from tests.replay.recording import load, scenarios

KEY_ERROR = (r"logs/canary/*/checkout: KeyError: 'currency'", r"logs/canary/*/checkout: checkout/pricing.py\", line 87")
NULL_POINTER = (r"logs/canary/*: NullPointerException", r"logs/canary/*: NetworkRouter\.java:64")
INDEX = (r"logs/canary/*: index out of range", r"logs/canary/*: internal/facets/ranker\.go:73")
DECIMAL = (r"logs/canary/*: decimal\.InvalidOperation", r"logs/canary/*: loyalty/points\.py\", line 23")
TO_FIXED = (r"logs/canary/*: product\.price\.toFixed is not a function", r"logs/canary/*: lib/money\.js:12")
FAILED_RUN = r"objects/analysisrun/*: \"phase\": \"Failed\""
ABORTED = r"objects/rollout/*: \"abortedAt\": "
BY_A_PERSON = r"objects/rollout/*: Rollout aborted update to revision 2\""
DECISIVE: dict[str, tuple[str, ...]] = {
    "01": (*KEY_ERROR, FAILED_RUN, ABORTED),
    "02": (*NULL_POINTER, FAILED_RUN, r"objects/analysisrun/*: ResolvedPrometheusQuery", ABORTED),
    "03": (*INDEX, FAILED_RUN, ABORTED, r"objects/ingress/catalog-api: ", r"objects/service/catalog-api-canary: "),
    "04": (r"logs/canary/*: TypeError", r"logs/canary/*: src/config\.js:21", r"objects/rollout/*: ProgressDeadlineExc"),
    "05": (r"logs/canary/*: ModuleNotFoundError: No module named 'pydantic_settings'", ABORTED),
    "06": (
        r"objects/pod/search-api-6b775b6ff9-*: OOMKilled",
        r"objects/pod/search-api-6b*: 512Mi",
        r"logs/canary/*: .+",
    ),
    "07": (r"objects/pod/thumbnailer-866bfdd546-*: thumbnailer:3\.2\.0.*not found", r"events: 3\.2\.0"),
    "08": (
        r"objects/pod/session-api-69c95f475b-*: couldn't find key TOKEN_ISSUER in ConfigMap",
        r"config/session-api-config: \"data\"",
        r"objects/replicaset/session-api-69c95f475b: TOKEN_ISSUER",
    ),
    "09": (
        r"events: Readiness probe failed: HTTP probe failed with statuscode: 404",
        r"logs/canary/*: GET /ready 404",
        r"objects/replicaset/cart-api-977d54595: \"path\": \"/ready\"",
        r"objects/replicaset/cart-api-d97d8669f: \"path\": \"/healthz\"",
    ),
    "10": (*TO_FIXED, r"objects/analysisrun/*-pre: \"phase\": \"Failed\"", r"objects/rollout/*: blueGreen"),
    "11": (
        r"objects/analysisrun/*: received non 2xx response code: 503",
        r"objects/analysisrun/*: \"phase\": \"Error\"",
    ),
    "12": (r"objects/rollout/*: InconclusiveAnalysisRun", r"objects/analysisrun/*: \"value\": \"0\.965\""),
    "13": (BY_A_PERSON, ABORTED, r"logs/canary/*: .+"),
    "14": (r"logs/canary/*: column \\\"reserved_qty\\\" does not exist", FAILED_RUN, ABORTED),
    "14-retry-then-fixed-v3/retry": (
        r"logs/canary/*: column \\\"reserved_qty\\\" does not exist",
        r"objects/analysisrun/*.1: \"phase\": \"Failed\"",
    ),
    "15": (*DECIMAL, FAILED_RUN, ABORTED),
    "16": (r"logs/canary/*: MODULE_NOT_FOUND", r"logs/canary/*: \./transports/ses"),
    "16-v3-supersedes-failing-v2/v3": (
        r"logs/canary/*: templateCache",
        r"logs/canary/*: src/render\.js:29",
        FAILED_RUN,
    ),
    "17a": (*KEY_ERROR, FAILED_RUN, ABORTED),
    "17b": (*KEY_ERROR, FAILED_RUN, ABORTED),
    "18": (
        r"logs/none/*smoke-test.1-*/smoke: test_posting_balances_to_zero",
        r"logs/none/*/smoke: 0\.01",
        r"objects/job/*: smoke-test",
        FAILED_RUN,
    ),
    "19": (
        r"logs/canary/*: IllegalStateException: Duplicate key",
        r"logs/canary/*: AccountIndex\.java:39",
        r"objects/deployment/accounts-api: \"image\"",
    ),
    "20": (*KEY_ERROR, ABORTED),
    "21": (*KEY_ERROR, ABORTED),
    "22": (*KEY_ERROR, ABORTED),
    "23": (*KEY_ERROR, ABORTED),
    "24": (*INDEX, FAILED_RUN, ABORTED),
    "25": (
        r"logs/canary/recommend-api-dbd97fdc6-2-0-canary-*: decimal\.InvalidOperation",
        r"objects/experiment/recommend-api-dbd97fdc6-2-0: \"phase\": \"Failed\"",
        r"objects/analysisrun/recommend-api-dbd97fdc6-2-0-success-rate: \"value\": \"0\.62\"",
        r"logs/stable/recommend-api-dbd97fdc6-2-0-baseline-*: .+",
    ),
    "26": (TO_FIXED[0], r"objects/analysisrun/*-post: \"phase\": \"Failed\"", ABORTED),
    "27": (*DECIMAL, FAILED_RUN, ABORTED),
    "28": (*NULL_POINTER, FAILED_RUN, ABORTED),
    "30": (
        r"logs/canary/*/db-migrate: relation \"orders_v2\" does not exist",
        r"logs/canary/*/db-migrate.previous: 9b2f6e01c3aa",
    ),
    "31": (BY_A_PERSON, ABORTED),
}
NO_CANARY = {"29-first-deploy-fails"}


def shortfalls(bundle: Bundle, wanted: tuple[str, ...]) -> list[str]:
    """What of the table is in none of the items that it names."""
    missing = []
    for row in wanted:
        pattern, _, expression = row.partition(": ")
        texts = [text for item, text in bundle.contents.items() if fnmatch.fnmatch(item, pattern + "*")]
        if not any(re.search(expression, text, re.DOTALL) for text in texts):
            missing.append(row)
    return missing


def full_name(number: str) -> str:
    return load(number).name


def test_the_table_has_a_row_for_every_recording() -> None:
    assert {full_name(number) for number in DECISIVE} | NO_CANARY == {*scenarios()}


@pytest.mark.parametrize("number", DECISIVE)
async def test_the_bundle_of_a_recorded_failure_holds_what_decides_its_cause(number: str, tmp_path: Path) -> None:
    recording = load(number)
    bundle, server = await capture_recorded(recording, tmp_path, LATE_ABORT.get(recording.name, 0.0))
    assert shortfalls(bundle, DECISIVE[number]) == []
    # what Argo CD and the templates hold is no part of the recordings
    gaps = {item.id for item in bundle.gaps()} - {"objects/application", "objects/analysistemplate"}
    assert gaps == set()
    assert not any("secrets" in request for request in server.requests)
    assert "list configmaps" not in server.requests


async def test_a_capture_that_comes_too_late_says_that_the_logs_are_gone(tmp_path: Path) -> None:
    recording = load("05")
    bundle, _ = await capture_recorded(recording, tmp_path, ago=0.35)
    assert not bundle.logs("canary")
    assert bundle.logs("stable")
    assert bundle.objects("rollout")[0]["status"]["abortedAt"]
