"""Scenario `exception`: a refactoring makes some requests raise; a later, innocent commit touches the same file."""

from app.demo.manifests import deployment
from app.demo.server_source import framework
from app.demo.story import Change, History, Names, Scenario

NAMES = Names(route="/quotes", module="pricing", key="pacific", exception="RateUnknown")
ANA, BO, CHEN = "Ana Ruiz <ana@acme.example>", "Bo Lind <bo@acme.example>", "Chen Wu <chen@acme.example>"

MODULE = '''"""Prices: what a basket costs in a region."""

RATES = {"europe": 1.2, "americas": 1.1, "africa": 1.05}
DEFAULT_RATE = 1.15


def rate_for(region):
    """The tax rate of a region, the default one where none is agreed."""
    return RATES.get(region, DEFAULT_RATE)


def total(items, region):
    """The price of a basket with tax."""
    net = sum(item["price"] * item["count"] for item in items)
    return round(net * rate_for(region), 2)
'''

ROUTES = '''"""What the service answers."""

from shop import orders
from shop.$module import total

BASKETS = {
    "1": [{"price": 12.5, "count": 2}],
    "2": [{"price": 3.0, "count": 1}, {"price": 7.25, "count": 4}],
    "3": [{"price": 99.0, "count": 1}],
}


def routes():
    return {"$route": quote, "/orders": orders.show, "/healthz": lambda _rest: {"ok": True}}


def quote(rest):
    """`<region>/<basket>`: the price of a basket in a region."""
    region, _, basket = rest.partition("/")
    if basket not in BASKETS:
        raise LookupError("no basket " + basket)
    return {"basket": basket, "region": region, "total": total(BASKETS[basket], region)}
'''

FIRST_ROUTES = '''"""What the service answers."""


def routes():
    return {"/healthz": lambda _rest: {"ok": True}}
'''

ORDERS = '''"""Orders that were placed."""

ORDERS = {"1041": {"basket": "1", "placed": "23.11.2026"}, "1042": {"basket": "3", "placed": "24.11.2026"}}


def show(number):
    """One order by its number."""
    if number not in ORDERS:
        raise LookupError("no order " + number)
    return {"order": number, **ORDERS[number]}
'''

TESTS = """import unittest

from shop.$module import rate_for, total


class PricesTest(unittest.TestCase):
    def test_a_region_with_a_rate_uses_it(self):
        self.assertEqual(rate_for("europe"), 1.2)

    def test_a_basket_is_summed_with_tax(self):
        self.assertEqual(total([{"price": 10, "count": 2}], "europe"), 24.0)
"""

STRICT_OLD = '''    """The tax rate of a region, the default one where none is agreed."""
    return RATES.get(region, DEFAULT_RATE)
'''
STRICT_NEW = '''    """The agreed tax rate of a region."""
    rate = RATES.get(region)
    if rate is None:
        raise $exception(f"no tax rate is agreed for '{region}'")
    return rate
'''
CLASS_OLD = """DEFAULT_RATE = 1.15
"""
CLASS_NEW = '''DEFAULT_RATE = 1.15


class $exception(Exception):
    """A region has no agreed tax rate."""
'''


def scenario(names: Names = NAMES) -> Scenario:
    """The scenario with the names that its code uses."""
    path = f"shop/{names.module}.py"
    fill = names.fill
    strict = fill(MODULE.replace(CLASS_OLD, CLASS_NEW).replace(STRICT_OLD, STRICT_NEW))
    changes = (
        Change("Start the shop service", ANA, files={**framework("shop"), "shop/routes.py": FIRST_ROUTES}),
        Change("Add prices per region", ANA, files={path: MODULE, f"tests/test_{names.module}.py": fill(TESTS)}),
        Change("Quote baskets and show orders", BO, files={"shop/orders.py": ORDERS, "shop/routes.py": fill(ROUTES)}),
        Change(
            "Add a README",
            CHEN,
            files={"README.md": fill("# shop\n\n`GET $route/<region>/<basket>` prices a basket.\n")},
        ),
        Change(
            "Answer more connections at once",
            BO,
            replace=("shop/server.py", "request_queue_size = 64", "request_queue_size = 256"),
        ),
        Change("Charge only agreed tax rates", CHEN, files={path: strict}),
        Change(
            "Round totals half up as accounting does",
            ANA,
            replace=(
                path,
                "return round(net * rate_for(region), 2)",
                "return int(net * rate_for(region) * 100 + 0.5) / 100",
            ),
        ),
        Change(
            "Show order dates the ISO way",
            BO,
            files={"shop/orders.py": ORDERS.replace("23.11.2026", "2026-11-23").replace("24.11.2026", "2026-11-24")},
        ),
    )
    config = {"LOG_FORMAT": "plain"}
    regions = ("europe", "americas", "africa", "europe", "americas", names.key)
    return Scenario(
        name="exception",
        service="shop",
        namespace="storefront",
        source=History("acme/shop", changes, stable=3, canary=7),
        deploy=deployment("shop", "storefront", "2.3.0", "2.4.0", config),
        package="shop",
        stable_config=config,
        canary_config=config,
        paths=("/orders/1041", *(f"{names.route}/{region}/{basket}" for region in regions for basket in "123")),
        trigger="on-rollout-aborted",
        images=("2.3.0", "2.4.0"),
    )
