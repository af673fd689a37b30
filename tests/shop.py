"""A small shop whose canary fails: its source, its manifests, and bundles of what was seen."""

from collections.abc import Mapping, Sequence
from typing import Any

from agents.evidence import Answer, Bundle, seal
from agents.incident import Incident
from tests.fakes import START, FakeCommit, FakeRepository

SOURCE_URL, GITOPS_URL = "https://git.example/acme/shop", "https://git.example/acme/gitops"
PRICES = '''\
TABLE = {"tea": 3, "coffee": 4}
DEFAULT = 2


def price(item):
    """The price of one item."""
    found = TABLE.get(item["name"])
    if found is None:
        found = DEFAULT
    return found * item["count"]
'''
APP = """\
from shop.prices import price


def total(order):
    result = 0
    for item in order["items"]:
        result += price(item)
    return result


def main(order):
    print("total", total(order))
"""
BASE = {"shop/__init__.py": "", "shop/prices.py": PRICES, "shop/app.py": APP, "README.md": "# Shop\n"}
BROKEN = PRICES.replace("    if found is None:\n        found = DEFAULT\n", "")
TRACE = """\
2026-11-24 12:00:01 INFO GET /orders/7
Traceback (most recent call last):
  File "/app/shop/app.py", line 12, in main
    print("total", total(order))
                   ^^^^^^^^^^^^
  File "/app/shop/app.py", line 7, in total
    result += price(item)
              ^^^^^^^^^^^
  File "/app/shop/prices.py", line 8, in price
    return found * item["count"]
           ~~~~~~^~~~~~~~~~~~~~~
TypeError: unsupported operand type(s) for *: 'NoneType' and 'int'
"""
QUIET = "2026-11-24 12:00:01 INFO GET /orders/7\n"


def history(*changes: tuple[str, Mapping[str, str | None]], base: Mapping[str, str] = BASE) -> FakeRepository:
    """The base, which is the stable version, and a commit for each change; the last one is the canary."""
    files = dict(base)
    commits = [FakeCommit("Start", dict(files))]
    for subject, change in changes:
        for path, text in change.items():
            files.pop(path, None)
            if text is not None:
                files[path] = text
        commits.append(FakeCommit(subject, dict(files)))
    return FakeRepository(*commits)


def broken_history() -> FakeRepository:
    """Five commits; the third took the default price away."""
    return history(
        ("Describe the shop", {"README.md": "# Shop\n\nSells tea. Every price is a number.\n"}),
        ("Greet at start", {"shop/app.py": APP + '\n\ndef hello():\n    print("hello")\n'}),
        ("Drop the default price", {"shop/prices.py": BROKEN}),
        ("Sell water", {"shop/prices.py": BROKEN.replace('"coffee": 4', '"coffee": 4, "water": 1')}),
        ("Test the greeting", {"tests/test_app.py": "def test_price():\n    assert True\n"}),
    )


INCIDENT = Incident(
    cluster="eu",
    namespace="shop",
    rollout="shop",
    uid="u-1",
    canary_hash="bad",
    revision="2",
    stable_hash="good",
)


def bundle_of(
    canary: str | None = TRACE,
    stable: str | None = QUIET,
    *,
    commits: tuple[str | None, str | None] = (None, None),
    manifests: tuple[str, str] | None = None,
    objects: Sequence[tuple[str, dict[str, Any]]] = (),
    notification: dict[str, Any] | None = None,
) -> Bundle:
    """A sealed bundle. `commits` and `manifests` are the revisions of stable and canary; `objects` are (id, object)."""
    answers = [
        Answer(
            id=f"logs/{side}/shop-{side}-1/app",
            kind="log",
            side=side,
            status="gone" if text is None else "ok",
            reason="the pod is gone" if text is None else None,
            content=text,
        )
        for side, text in (("canary", canary), ("stable", stable))
    ]
    things = [*objects]
    if manifests is not None:
        things += deployed(*manifests)
    answers += [
        Answer(
            id=id_, kind="config" if id_.startswith("config/") else "object", side="none", status="ok", content=thing
        )
        for id_, thing in things
    ]
    if notification is not None:
        answers.append(Answer(id="notification", kind="notification", side="none", status="ok", content=notification))
    bundle = seal(INCIDENT, 1, answers, START)
    known = {
        side: getattr(bundle.manifest, side).model_copy(update={"commit": commit, "repo": SOURCE_URL})
        for side, commit in zip(("stable", "canary"), commits, strict=True)
    }
    return bundle.model_copy(update={"manifest": bundle.manifest.model_copy(update=known)})


def deployed(stable: str, canary: str) -> list[tuple[str, dict[str, Any]]]:
    """The objects by which Argo CD says which manifests were deployed."""
    tracking = {"argocd.argoproj.io/tracking-id": "shop:argoproj.io/Rollout:shop/shop"}
    application = {
        "metadata": {"name": "shop"},
        "spec": {"source": {"repoURL": GITOPS_URL, "path": "apps/shop"}},
        "status": {
            "history": [
                {"revision": stable, "deployedAt": "2026-11-23T10:00:00Z"},
                {"revision": canary, "deployedAt": "2026-11-24T11:00:00Z"},
            ]
        },
    }
    return [
        ("objects/rollout/shop", {"metadata": {"name": "shop", "namespace": "shop", "annotations": tracking}}),
        ("objects/application/shop", application),
    ]
