"""Scenario `latency`: a new feature makes one route slow; nothing raises, and later commits touch the same package."""

from app.demo.manifests import deployment
from app.demo.server_source import framework
from app.demo.story import Change, History, Names, Scenario

NAMES = Names(route="/statements", module="ledger", key="carried", exception="")
FAY, GUS, HAN = "Fay Adeyemi <fay@acme.example>", "Gus Brandt <gus@acme.example>", "Han Park <han@acme.example>"

MODULE = '''"""The ledger: what was booked, and statements over it."""

DAYS = 1500
BOOKINGS = [{"day": day, "account": str(day % 3), "amount": (day * 37) % 211 - 90} for day in range(DAYS)]


def bookings_of(account):
    """What was booked on an account, oldest first."""
    return [booking for booking in BOOKINGS if booking["account"] == account]


def balance(account):
    """What is on an account now."""
    return sum(booking["amount"] for booking in bookings_of(account))


def lines(account):
    """The lines of a statement: every booking, and what was on the account after it."""
    result, $key = [], 0
    for booking in bookings_of(account):
        $key += booking["amount"]
        result.append({"day": booking["day"], "amount": booking["amount"], "balance": $key})
    return result
'''

FAST = """    result, $key = [], 0
    for booking in bookings_of(account):
        $key += booking["amount"]
        result.append({"day": booking["day"], "amount": booking["amount"], "balance": $key})
    return result
"""
SLOW = """    result = []
    for booking in bookings_of(account):
        $key = sum(other["amount"] for other in bookings_of(account) if other["day"] <= booking["day"])
        result.append({"day": booking["day"], "amount": booking["amount"], "balance": $key})
    return result
"""

ROUTES = '''"""What the service answers."""

from bank import accounts
from bank.$module import balance, lines


def routes():
    return {"$route": statement, "/accounts": accounts.show, "/healthz": lambda _rest: {"ok": True}}


def statement(rest):
    """`<account>`: the last lines of its statement."""
    return {"account": rest, "balance": balance(rest), "lines": lines(rest)[-12:]}
'''

FIRST_ROUTES = '''"""What the service answers."""


def routes():
    return {"/healthz": lambda _rest: {"ok": True}}
'''

ACCOUNTS = '''"""Who holds which account."""

HOLDERS = {"0": "Imani", "1": "Jonas", "2": "Kiri"}


def show(number):
    """The holder of an account."""
    return {"account": number, "holder": HOLDERS.get(number, "nobody")}
'''

TESTS = """import unittest

from bank.$module import balance, lines


class StatementTest(unittest.TestCase):
    def test_the_last_line_holds_the_balance(self):
        for account in "012":
            self.assertEqual(lines(account)[-1]["balance"], balance(account))

    def test_an_account_that_nobody_has_is_empty(self):
        self.assertEqual(lines("9"), [])
"""


def scenario(names: Names = NAMES) -> Scenario:
    """The scenario with the names that its code uses."""
    path = f"bank/{names.module}.py"
    fill = names.fill
    changes = (
        Change("Start the bank service", FAY, files={**framework("bank"), "bank/routes.py": FIRST_ROUTES}),
        Change("Keep a ledger", FAY, files={path: fill(MODULE)}),
        Change(
            "Show statements and accounts", GUS, files={"bank/accounts.py": ACCOUNTS, "bank/routes.py": fill(ROUTES)}
        ),
        Change("Test statements", HAN, files={f"tests/test_{names.module}.py": fill(TESTS)}),
        Change("Say who holds an account nobody has", GUS, replace=("bank/accounts.py", '"nobody"', '"not given out"')),
        Change(
            "Compute each balance from the bookings, so that late ones count",
            HAN,
            replace=(path, fill(FAST), fill(SLOW)),
        ),
        Change("Show twenty lines of a statement", GUS, replace=("bank/routes.py", "[-12:]", "[-20:]")),
        Change("Add a README", FAY, files={"README.md": fill("# bank\n\n`GET $route/<account>` shows a statement.\n")}),
    )
    config = {"LOG_FORMAT": "plain"}
    return Scenario(
        name="latency",
        service="bank",
        namespace="storefront",
        source=History("acme/bank", changes, stable=4, canary=7),
        deploy=deployment("bank", "storefront", "3.1.0", "3.2.0", config),
        package="bank",
        stable_config=config,
        canary_config=config,
        paths=tuple(f"{prefix}/{account}" for account in "012" for prefix in (names.route, "/accounts", names.route)),
        trigger="on-rollout-aborted",
        images=("3.1.0", "3.2.0"),
        metric="latency-p95",
    )
