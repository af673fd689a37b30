"""What triage makes of a source repository where the trace alone does not tell."""

from agents.diagnosis import Diagnosis, diagnose
from agents.triage import triage
from tests.fakes import FakeRepository
from tests.shop import APP, BASE, PRICES, QUIET, TRACE, bundle_of, history


async def of_source(repository: FakeRepository, log: str, stable: str = QUIET) -> Diagnosis:
    bundle = bundle_of(log, stable, commits=(repository.shas[0], repository.shas[-1]))
    return diagnose(await triage(bundle, repository, None))


LOGGED = """\
import logging


def charge(order):
    limit = limit_of(order)
    if order["total"] > limit:
        logging.error("order %s is above the limit of %d", order["id"], limit)


def limit_of(order):
    return 500
"""
FAILED = "2026-11-24 12:00:02 ERROR order 7 is above the limit of 50\n" * 3


async def test_without_a_trace_the_statement_that_logged_the_error_leads_to_what_changed() -> None:
    repository = history(
        ("Greet", {"shop/app.py": APP + "\n\ndef hello():\n    print('hello')\n"}),
        ("Lower the limit", {"shop/charge.py": LOGGED.replace("return 500", "return 50")}),
        ("Document", {"README.md": "limit order charge\n"}),
        base=BASE | {"shop/charge.py": LOGGED},
    )
    diagnosis = await of_source(repository, QUIET + FAILED)
    assert (diagnosis.category, diagnosis.culprit_commit) == ("code", repository.shas[2])
    assert diagnosis.location is not None
    assert (diagnosis.location.file, diagnosis.location.function) == ("shop/charge.py", "limit_of")
    assert diagnosis.claims


async def test_an_error_that_no_change_bears_on_names_no_commit() -> None:
    repository = history(
        ("Greet", {"shop/app.py": APP + "\n\ndef hello():\n    print('hello')\n"}),
        base=BASE | {"shop/charge.py": LOGGED},
    )
    diagnosis = await of_source(repository, QUIET + FAILED)
    assert (diagnosis.category, diagnosis.culprit_commit, diagnosis.location) == ("unknown", None, None)


async def test_a_change_that_the_trace_reaches_by_a_function_in_between_is_named_with_little_confidence() -> None:
    between = "from shop.rounding import cut_cents\n\n\ndef amount_of(item):\n    return cut_cents(item)\n"
    rounding = "def cut_cents(item):\n    return item\n"
    prices = (
        "from shop.between import amount_of\n\n\ndef price(item):\n    amount_of(item)\n    raise ValueError(item)\n"
    )
    base = BASE | {"shop/between.py": between, "shop/rounding.py": rounding, "shop/prices.py": prices}
    repository = history(
        ("Cut cents", {"shop/rounding.py": rounding.replace("return item", "return item - 1")}),
        ("Document", {"README.md": "words\n"}),
        base=base,
    )
    log = (
        'Traceback (most recent call last):\n  File "/app/shop/prices.py", line 6, in price\n'
        "    raise ValueError(item)\nValueError: 7\n"
    )
    diagnosis = await of_source(repository, log)
    assert (diagnosis.culprit_commit, diagnosis.confidence) == (repository.shas[1], "low")
    assert "amount_of" in diagnosis.summary


async def test_what_raises_on_behalf_of_its_caller_is_not_where_a_latent_fault_lies() -> None:
    checks = (
        "def require(value):\n    if value is None:\n        raise ValueError('a value is missing')\n    return value\n"
    )
    repository = history(("Words", {"README.md": "x\n"}), base=BASE | {"shop/checks.py": checks})
    log = TRACE.split('  File "/app/shop/prices.py"')[0] + (
        '  File "/app/shop/checks.py", line 3, in require\n'
        "    raise ValueError('a value is missing')\nValueError: a value is missing\n"
    )
    diagnosis = await of_source(repository, log)
    assert diagnosis.culprit_commit is None
    assert diagnosis.location is not None
    assert (diagnosis.location.file, diagnosis.location.line) == ("shop/app.py", 7)


async def test_a_change_that_only_restyles_the_failing_line_is_not_what_broke_it() -> None:
    first = PRICES.replace("DEFAULT = 2", "DEFAULT = None")
    styled = first.replace('    return found * item["count"]\n', '    return (found * item["count"])\n')
    repository = history(("No default", {"shop/prices.py": first}), ("Style", {"shop/prices.py": styled}))
    log = TRACE.replace("line 8", "line 10").replace('return found * item["count"]', 'return (found * item["count"])')
    diagnosis = await of_source(repository, log)
    assert diagnosis.culprit_commit == repository.shas[1]


async def test_a_frame_that_could_be_two_files_is_told_and_not_guessed() -> None:
    log = 'Traceback (most recent call last):\n  File "/app/shop/same.py", line 1, in f\n    x = 1\nValueError: 7\n'
    base = {"a/shop/same.py": "x = 1\n", "b/shop/same.py": "x = 1\n"}
    repository = history(("Words", {"README.md": "x\n"}), base=base)
    bundle = bundle_of(log, QUIET, commits=(repository.shas[0], repository.shas[-1]))
    findings = await triage(bundle, repository, None)
    assert any("could be any of a/shop/same.py, b/shop/same.py" in note for note in findings.notes)
    assert diagnose(findings).location is None
