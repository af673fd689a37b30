"""Scenario `config`: a ConfigMap key is renamed, the program that reads it dies at start; the fix is in GitOps."""

from collections.abc import Mapping

from app.demo.manifests import PLATFORM, config_map, deployment
from app.demo.server_source import framework
from app.demo.story import Change, History, Names, Scenario

NAMES = Names(route="/products", module="settings", key="PRICE_FEED", exception="MissingSetting")
DEE, EMIL = "Dee Okafor <dee@acme.example>", "Emil Berg <emil@acme.example>"

MODULE = '''"""Settings: read from the environment once, at start."""

import os


class $exception(Exception):
    """The environment lacks a setting that the service cannot do without."""


def require(name):
    """A setting that must be there."""
    value = os.environ.get(name)
    if value is None:
        raise $exception(f"the setting '{name}' is not in the environment")
    return value


def load():
    """All settings."""
    return {"feed": require("$key"), "page_size": int(os.environ.get("PAGE_SIZE", "20"))}
'''

ROUTES = '''"""What the service answers."""

from catalog import products
from catalog.$module import load


def routes():
    current = load()
    return {
        "$route": lambda rest: products.show(rest, current),
        "/healthz": lambda _rest: {"ok": True},
    }
'''

PRODUCTS = '''"""The catalogue."""

PRODUCTS = {"10": "kettle", "11": "teapot", "12": "cup"}


def show(number, current):
    """One product, and where its price comes from."""
    if number not in PRODUCTS:
        raise LookupError("no product " + number)
    return {"product": PRODUCTS[number], "feed": current["feed"]}
'''

TESTS = """import os
import unittest

from catalog.$module import load
from catalog.products import show


class CatalogTest(unittest.TestCase):
    def test_settings_come_from_the_environment(self):
        os.environ["$key"] = "https://feed.example"
        self.assertEqual(load()["feed"], "https://feed.example")

    def test_a_product_is_shown(self):
        self.assertEqual(show("10", {"feed": "f"})["product"], "kettle")
"""

FIRST_ROUTES = '''"""What the service answers."""


def routes():
    return {"/healthz": lambda _rest: {"ok": True}}
'''


def scenario(names: Names = NAMES) -> Scenario:
    """The scenario with the names that its code uses."""
    fill = names.fill
    config = {"PAGE_SIZE": "20", names.key: "https://feed.acme.example/v2", "GREETING": "welcome"}
    renamed = _rename(names.key, config)
    after = {renamed if key == names.key else key: value for key, value in config.items()}
    changes = (
        Change(
            "Start the catalog service",
            DEE,
            files={**framework("catalog"), "catalog/routes.py": FIRST_ROUTES},
        ),
        Change("Read settings from the environment", DEE, files={f"catalog/{names.module}.py": fill(MODULE)}),
        Change("Show products", EMIL, files={"catalog/products.py": PRODUCTS, "catalog/routes.py": fill(ROUTES)}),
        Change("Test settings and products", EMIL, files={"tests/test_catalog.py": fill(TESTS)}),
        Change(
            "Add a README",
            DEE,
            files={"README.md": fill("# catalog\n\n`GET $route/<number>` shows a product.\n")},
        ),
        Change("Sell a tray", EMIL, replace=("catalog/products.py", '"12": "cup"', '"12": "cup", "13": "tray"')),
    )
    culprit = Change(
        "Name configuration keys after what they are",
        PLATFORM,
        files={"apps/catalog/configmap.yaml": config_map("catalog", "storefront", after)},
    )
    return Scenario(
        name="config",
        service="catalog",
        namespace="storefront",
        source=History("acme/catalog", changes, stable=4, canary=5),
        deploy=deployment("catalog", "storefront", "5.0.1", "5.1.0", config, culprit),
        package="catalog",
        stable_config=config,
        canary_config=after,
        paths=tuple(f"{names.route}/{number}" for number in (10, 11, 12)),
        trigger="on-canary-degraded",
        images=("5.0.1", "5.1.0"),
    )


def _rename(key: str, config: Mapping[str, str]) -> str:
    """Another name for a key, as somebody with a naming scheme would choose it; one that is free."""
    for name in ("_".join(reversed(key.split("_"))), f"{key}_URL"):
        if name not in config:
            return name
    return f"{key}_SETTING"
