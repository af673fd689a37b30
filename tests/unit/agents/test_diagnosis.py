import json
from collections.abc import Sequence
from typing import Any

import pytest

from agents.diagnosis import Diagnosis, diagnose, public
from agents.evidence import Bundle, holds
from agents.triage import triage
from tests.fakes import FakeRepository
from tests.shop import BROKEN, PRICES, QUIET, TRACE, broken_history, bundle_of, history

CONFIG = "kind: ConfigMap\nmetadata:\n  name: shop\ndata:\n  RATE: '3'\n  CURRENCY: EUR\n"
ROLLOUT = """\
kind: Rollout
metadata: {name: shop}
spec:
  template:
    spec:
      containers:
        - name: app
          env:
            - name: REGION
              value: eu-1
            - name: MODE
              value: fast
"""


def sound(diagnosis: Diagnosis, bundle: Bundle) -> Diagnosis:
    """The diagnosis, every claim of which has been checked against the bundle."""
    assert all(claim.evidence for claim in diagnosis.claims)
    assert all(holds(bundle, citation) for claim in diagnosis.claims for citation in claim.evidence)
    return diagnosis


async def of_source(repository: FakeRepository, log: str | None = TRACE, **evidence: Any) -> Diagnosis:
    bundle = bundle_of(log, QUIET, commits=(repository.shas[0], repository.shas[-1]), **evidence)
    return sound(diagnose(await triage(bundle, repository, None)), bundle)


async def of_manifests(
    log: str, *changes: tuple[str, dict[str, str | None]], objects: Sequence[tuple[str, dict[str, Any]]] = ()
) -> tuple[Diagnosis, FakeRepository]:
    manifests = history(*changes, base={"apps/shop/config.yaml": CONFIG, "apps/shop/rollout.yaml": ROLLOUT})
    source = history(("Change words", {"README.md": "new\n"}))
    bundle = bundle_of(
        log,
        commits=(source.shas[0], source.shas[-1]),
        manifests=(manifests.shas[0], manifests.shas[-1]),
        objects=objects,
    )
    return sound(diagnose(await triage(bundle, source, manifests)), bundle), manifests


async def test_the_culprit_is_named_with_its_place_and_cited() -> None:
    repository = broken_history()
    diagnosis = await of_source(repository)
    assert (diagnosis.category, diagnosis.confidence, diagnosis.strategy) == ("code", "high", "revert")
    assert diagnosis.culprit_commit == repository.shas[3]
    assert diagnosis.location is not None
    assert diagnosis.location.model_dump() == {"file": "shop/prices.py", "line": 8, "function": "price"}
    assert "Drop the default price" in diagnosis.summary
    (claim,) = diagnosis.claims
    assert "TypeError" in claim.text
    assert "shop/prices.py:8 in price" in claim.text
    assert claim.evidence[0].ref == "logs/canary/shop-canary-1/app#L2-12"
    assert claim.evidence[0].quote.startswith("Traceback")


async def test_a_long_trace_is_quoted_from_its_end() -> None:
    frames = '  File "/app/shop/app.py", line 7, in total\n    result += price(item)\n' * 200
    diagnosis = await of_source(
        broken_history(), TRACE.replace('  File "/app/shop/prices.py"', f'{frames}  File "/app/shop/prices.py"')
    )
    (claim,) = diagnosis.claims
    assert claim.evidence[0].quote.count("\n") == 59
    assert "TypeError" in claim.evidence[0].quote


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"shop/prices.py": PRICES.replace('"tea": 3', '"tea":3')}, "no change between the versions explains it"),
        ({"README.md": "new\n"}, "no change between the versions explains it"),
        ({"tests/test_x.py": "price = found = item = 1\n"}, "no change between the versions explains it"),
        (None, "there is no commit between the versions"),
    ],
)
async def test_a_trace_that_no_change_explains_names_no_commit(change: dict[str, str | None] | None, says: str) -> None:
    log = TRACE.replace("line 8", "line 10")
    diagnosis = await of_source(history(*([("Change", change)] if change else [])), log)
    assert (diagnosis.category, diagnosis.confidence) == ("code", "low")
    assert diagnosis.culprit_commit is None
    assert diagnosis.strategy is None
    assert diagnosis.location is not None
    assert (diagnosis.location.file, diagnosis.location.line) == ("shop/prices.py", 10)
    assert says in diagnosis.summary
    assert "latent" in diagnosis.summary


async def test_a_peer_that_cannot_be_reached_is_infrastructure() -> None:
    log = TRACE.replace("line 8", "line 10").split("TypeError")[0] + "ConnectionRefusedError: [Errno 111] refused\n"
    diagnosis = await of_source(history(("Words", {"README.md": "x"})), log)
    assert (diagnosis.category, diagnosis.culprit_commit, diagnosis.strategy) == ("infrastructure", None, None)
    assert "latent" not in diagnosis.summary


async def test_revisions_that_cannot_be_compared_are_not_called_a_latent_fault() -> None:
    repository = broken_history()
    repository.denied.add("commits")
    diagnosis = await of_source(repository)
    assert diagnosis.culprit_commit is None
    assert "could not be read" in diagnosis.summary
    assert "latent" not in diagnosis.summary
    assert diagnosis.location is not None


async def test_a_trace_from_somewhere_else_is_unknown() -> None:
    log = 'Traceback (most recent call last):\n  File "/v/site-packages/x/y.py", line 1, in f\nRuntimeError: no\n'
    diagnosis = await of_source(history(("Words", {"README.md": "x"})), log)
    assert (diagnosis.category, diagnosis.location, diagnosis.repository) == ("unknown", None, None)


async def test_the_root_of_a_chain_is_what_is_diagnosed() -> None:
    chained = (
        TRACE
        + "\nThe above exception was the direct cause of the following exception:\n\n"
        + (
            'Traceback (most recent call last):\n  File "/app/shop/app.py", line 12, in main\n'
            '    print("total", total(order))\nRuntimeError: order failed\n'
        )
    )
    repository = broken_history()
    diagnosis = await of_source(repository, chained)
    assert diagnosis.culprit_commit == repository.shas[3]
    assert diagnosis.summary.startswith("TypeError")


async def test_a_cut_trace_is_diagnosed_without_inventing_its_exception() -> None:
    repository = broken_history()
    diagnosis = await of_source(repository, TRACE[: TRACE.index("TypeError")])
    assert diagnosis.culprit_commit == repository.shas[3]
    assert "does not hold" in diagnosis.summary


async def test_a_constant_from_which_the_failing_line_has_its_value_is_named() -> None:
    repository = history(
        ("No default", {"shop/prices.py": PRICES.replace("DEFAULT = 2", "DEFAULT = None")}),
        (
            "Sell water",
            {"shop/prices.py": PRICES.replace("DEFAULT = 2", "DEFAULT = None").replace('"tea": 3', '"tea": 4')},
        ),
    )
    diagnosis = await of_source(repository, TRACE.replace("line 8", "line 10"))
    assert (diagnosis.culprit_commit, diagnosis.confidence) == (repository.shas[1], "medium")
    assert "DEFAULT" in diagnosis.summary


async def test_a_weak_suspect_is_medium_and_the_location_is_where_it_failed() -> None:
    used = TRACE.split('  File "/app/shop/prices.py"')[0] + "TypeError: x\n"
    repository = history(("Shift", {"shop/prices.py": BROKEN}))
    diagnosis = await of_source(repository, used)
    assert (diagnosis.confidence, diagnosis.culprit_commit) == ("medium", repository.shas[1])
    assert diagnosis.location is not None
    assert (diagnosis.location.file, diagnosis.location.function) == ("shop/prices.py", "price")


def crash(message: str) -> str:
    frame = '  File "/app/shop/app.py", line 12, in main\n    print("total", total(order))\n'
    return f"Traceback (most recent call last):\n{frame}{message}\n"


async def test_a_renamed_key_is_a_fault_of_the_configuration() -> None:
    config_map = {"metadata": {"name": "shop"}, "data": {"CHARGE": "3", "CURRENCY": "EUR"}}
    diagnosis, manifests = await of_manifests(
        crash("KeyError: 'RATE'"),
        ("Another currency", {"apps/shop/config.yaml": CONFIG.replace("EUR", "USD")}),
        ("Rename the rate", {"apps/shop/config.yaml": CONFIG.replace("EUR", "USD").replace("RATE", "CHARGE")}),
        ("Another thing", {"apps/other.yaml": "x: 1\n"}),
        objects=[("config/shop", config_map)],
    )
    assert (diagnosis.category, diagnosis.confidence, diagnosis.strategy) == ("config", "high", "restore")
    assert diagnosis.culprit_commit == manifests.shas[2]
    assert diagnosis.repository == "manifests"
    assert diagnosis.location is not None
    assert (diagnosis.location.file, diagnosis.location.line) == ("apps/shop/config.yaml", 5)
    assert "RATE of ConfigMap shop was renamed to CHARGE" in diagnosis.summary
    assert [claim.evidence[0].ref for claim in diagnosis.claims][1] == "config/shop#/data/CHARGE"


async def test_a_claim_whose_citation_does_not_hold_is_dropped() -> None:
    stale = {"metadata": {"name": "shop"}, "data": {"CHARGE": "another"}}
    diagnosis, _ = await of_manifests(
        crash("KeyError: 'RATE'"),
        ("Rename the rate", {"apps/shop/config.yaml": CONFIG.replace("RATE", "CHARGE")}),
        objects=[("config/shop", stale)],
    )
    assert diagnosis.category == "config"
    assert len(diagnosis.claims) == 1


@pytest.mark.parametrize(
    ("message", "change", "key", "line"),
    [
        ("KeyError: 'RATE'", {"apps/shop/config.yaml": CONFIG.replace("  RATE: '3'\n", "")}, "RATE", 4),
        ("SystemExit: RATE is missing", {"apps/shop/config.yaml": CONFIG.replace("  RATE: '3'\n", "")}, "RATE", 4),
        (
            "ValueError: invalid literal for int() with base 10: 'three'",
            {"apps/shop/config.yaml": CONFIG.replace("'3'", "three")},
            "RATE",
            5,
        ),
        ("KeyError: 'slow'", {"apps/shop/rollout.yaml": ROLLOUT.replace("fast", "slow")}, "MODE", 12),
        (
            "RuntimeError: no such region: eu-9",
            {"apps/shop/rollout.yaml": ROLLOUT.replace("eu-1", "eu-9")},
            "REGION",
            10,
        ),
        ("KeyError: 'MODE'", {"apps/shop/rollout.yaml": ROLLOUT.replace("MODE", "SPEED")}, "MODE", 11),
    ],
)
async def test_a_value_that_the_error_names_is_a_fault_of_the_configuration(
    message: str, change: dict[str, str | None], key: str, line: int
) -> None:
    diagnosis, manifests = await of_manifests(crash(message), ("Set it", change), ("Other", {"apps/x.yaml": "y: 1\n"}))
    assert diagnosis.category == "config"
    assert diagnosis.culprit_commit == manifests.shas[1]
    assert key in diagnosis.summary
    assert diagnosis.location is not None
    assert diagnosis.location.line == line
    assert diagnosis.suspects[0].repository == "manifests"


async def test_a_value_is_not_told_where_only_its_key_is_needed() -> None:
    secret = ROLLOUT.replace("MODE", "DB_PASSWORD")
    diagnosis, _ = await of_manifests(
        crash("KeyError: 'MODE'"), ("Set it", {"apps/shop/rollout.yaml": secret.replace("fast", "hunter2")})
    )
    assert "hunter2" not in json.dumps(public(diagnosis))


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("KeyError: 'RATE'", {"apps/shop/config.yaml": CONFIG.replace("EUR", "USD")}),
        ("TypeError: 'int' object is not callable", {"apps/shop/config.yaml": CONFIG.replace("'3'", "'4'")}),
        (
            "KeyError: 'order'",
            {"apps/shop/rollout.yaml": ROLLOUT.replace("{name: shop}", "{name: shop, labels: {a: order}}")},
        ),
    ],
)
async def test_manifests_that_changed_otherwise_are_not_blamed(message: str, change: dict[str, str | None]) -> None:
    diagnosis, _ = await of_manifests(crash(message), ("Change", change))
    assert diagnosis.category != "config"
    assert diagnosis.culprit_commit is None


@pytest.mark.parametrize(
    ("log", "says", "claims"),
    [
        (None, "left no logs", 0),
        (QUIET, "no traceback and no error of their own", 0),
        ("INFO up\n2026 ERROR cannot charge order 7\n2026 ERROR cannot charge order 8\n", "hold errors", 1),
    ],
)
async def test_without_a_trace_the_cause_is_unknown_and_nothing_is_proposed(
    log: str | None, says: str, claims: int
) -> None:
    diagnosis = await of_source(broken_history(), log)
    assert (diagnosis.category, diagnosis.confidence) == ("unknown", "low")
    assert (diagnosis.location, diagnosis.culprit_commit, diagnosis.strategy) == (None, None, None)
    assert says in diagnosis.summary
    assert len(diagnosis.claims) == claims


RUN = {
    "metadata": {"name": "run-1", "labels": {"rollouts-pod-template-hash": "bad"}},
    "status": {"phase": "Error", "message": 'Metric "ok" assessed Error: received non 2xx response code: 503'},
}


async def test_a_metric_that_could_not_be_measured_is_no_verdict_about_the_code() -> None:
    diagnosis = await of_source(broken_history(), objects=[("objects/analysisrun/run-1", RUN)])
    assert diagnosis.category == "analysis"
    assert (diagnosis.strategy, diagnosis.culprit_commit, diagnosis.location) == (None, None, None)
    assert diagnosis.claims[0].evidence[0].ref == "objects/analysisrun/run-1#/status/message"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({"abort": True}, "a person aborted the canary"),
        ({"pauseConditions": [{"reason": "InconclusiveAnalysisRun"}]}, "inconclusive"),
    ],
)
async def test_no_fix_is_proposed_where_nothing_judged_the_canary(status: dict[str, Any], says: str) -> None:
    rollout = {"metadata": {"name": "shop", "namespace": "shop"}, "status": status}
    diagnosis = await of_source(broken_history(), objects=[("objects/rollout/shop", rollout)])
    assert diagnosis.strategy is None
    assert says in diagnosis.summary
    assert diagnosis.claims


async def test_the_public_document_has_exactly_these_keys() -> None:
    document = public(await of_source(broken_history()))
    assert list(document) == [
        "category",
        "summary",
        "confidence",
        "location",
        "culprit_commit",
        "suspects",
        "claims",
        "strategy",
    ]
    assert list(document["location"]) == ["file", "line", "function"]
    assert list(document["suspects"][0]) == ["file", "line", "function", "commit", "score", "why"]
    assert list(document["claims"][0]) == ["text", "evidence"]
    assert json.loads(json.dumps(document)) == document
    unknown = public(await of_source(broken_history(), None))
    assert (unknown["location"], unknown["culprit_commit"], unknown["strategy"]) == (None, None, None)
