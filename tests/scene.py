"""A failed canary from evidence to forge, in memory: a shop whose new version refuses regions without a tax rate.

The program is real: the sandbox runs the tree's own code, so a fix is red or green for what it does.
"""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.budget import Models
from agents.evidence import Answer, Bundle, Side, seal
from agents.graph import Ports, build
from agents.incident import Incident
from agents.outcome import Outcome
from agents.policy import Policy, RepositoryRule
from agents.pull_request import Record
from agents.verification import Completed, Request, Response, Served
from tests.fakes import (
    START,
    FakeCommit,
    FakeForge,
    FakeJournal,
    FakeRepositories,
    FakeRepository,
    FakeSandbox,
    FakeWorkspace,
    Files,
)

URL = "https://git.example/acme/shop"
LOG = "logs/canary/shop-5f8b9d7c4-x2v7q/shop"
PASSWORD, TOKEN = "hunter2-in-the-source", "ghp_0123456789abcdefghijABCDEFGHIJ012345"
KEY = (
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n"
    "MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu\n"
    "-----END PRIVATE KEY-----"
)
SECRETS = (PASSWORD, TOKEN, "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj", "MzEfYyjiWA4R4")

LENIENT = '''"""Prices."""

RATES = {"europe": 1.2, "africa": 1.05}
DEFAULT = 1.15


def rate_for(region):
    return RATES.get(region, DEFAULT)


def total(price, region):
    return round(price * rate_for(region), 2)
'''
STRICT = LENIENT.replace(
    "    return RATES.get(region, DEFAULT)\n",
    '    rate = RATES.get(region)\n    if rate is None:\n        raise LookupError(f"no rate for {region}")\n'
    "    return rate\n",
)
ROUNDED = STRICT.replace(
    "    return round(price * rate_for(region), 2)\n",
    "    amount = price * rate_for(region)\n    return int(amount * 100 + 0.5) / 100\n",
)
CONFIG = f'"""Where things are."""\n\nDB_HOST = "db"\nDB_PASSWORD = "{PASSWORD}"\nSIGNING = """\n{KEY}\n"""\n'
SETTINGS = "run: python3 -m shop --port {port}\ntest: python3 -m unittest\n"
TESTS = "import unittest\n"
FIX = (
    '    if rate is None:\n        raise LookupError(f"no rate for {region}")\n    return rate\n',
    "    return DEFAULT if rate is None else rate\n",
)
"""Search and replacement of a fix that keeps the rest of the canary's change."""
USELESS = ('raise LookupError(f"no rate for {region}")', 'raise LookupError(f"there is no rate for {region}")')


def history(
    *, settings: str = SETTINGS, extra: Mapping[str, str] | None = None, latent: bool = False
) -> FakeRepository:
    """Stable is the third commit, the culprit the fourth, the canary the last; `latent`: the fault was always there."""
    commits = [FakeCommit(subject, files) for subject, files in trees(settings, extra or {}, latent=latent)]
    return FakeRepository(*commits)


def trees(settings: str, extra: Mapping[str, str], *, latent: bool) -> list[tuple[str, dict[str, str]]]:
    """The commits' subjects, and the whole tree after each."""
    tree: dict[str, str] = {
        ".selfheal.yml": settings,
        "shop/pricing.py": LENIENT,
        "shop/config.py": CONFIG,
        "tests/test_pricing.py": TESTS,
        ".github/workflows/ci.yml": "on: push\n",
        "deploy.sh": "#!/bin/sh\nmake\n",
        **extra,
    }
    steps: list[tuple[str, dict[str, str]]] = [
        ("Price baskets", {}),
        ("Add a README", {"README.md": "# shop\n"}),
        ("Say what it is", {"README.md": "# shop\n\nPrices.\n"}),
        ("Charge only agreed tax rates", {"shop/pricing.py": STRICT}),
        ("Round half up", {"shop/pricing.py": ROUNDED}),
        ("Describe regions", {"README.md": "# shop\n\nPrices by region.\n"}),
    ]
    if latent:
        tree["shop/pricing.py"] = ROUNDED
        steps = [
            (subject, {name: text for name, text in files.items() if name == "README.md"}) for subject, files in steps
        ]
    found = []
    for subject, files in steps:
        tree = tree | files
        found.append((subject, tree))
    return found


def run_shop(files: Files, env: Mapping[str, str], requests: tuple[Request, ...]) -> Served:
    """The program: `GET /price/<region>`. An exception is logged as servers do, and answered 500."""
    del env
    module: dict[str, Any] = {"__name__": "shop.pricing"}
    try:
        exec(compile(files["shop/pricing.py"], "/work/shop/pricing.py", "exec"), module)  # noqa: S102 - our own scene
    except Exception:  # noqa: BLE001 - whatever a patch makes of it is what the program prints
        return Served(status="ok", exit_code=1, output=traceback.format_exc())
    output, responses = "", []
    for request in requests:
        try:
            module["total"](10, request.path.rpartition("/")[2])
            responses.append(Response(status=200, seconds=0.01))
        except Exception:  # noqa: BLE001 - as above
            output += traceback.format_exc()
            responses.append(Response(status=500, seconds=0.01))
    return Served(status="ok", listened=True, responses=tuple(responses), output=output)


def suite(files: Files) -> Completed:
    """The repository's tests: the agreed rates are charged, and a total has two digits."""
    module: dict[str, Any] = {"__name__": "shop.pricing"}
    exec(files["shop/pricing.py"], module)  # noqa: S102 - our own scene
    good = module["total"](10, "europe") == 12.0
    return Completed(status="ok", exit_code=0 if good else 1, output="OK\n" if good else "FAILED (failures=1)\n")


def log_lines(*more: str) -> str:
    """What the canary printed: requests, and the exception of the one that failed."""
    return "\n".join(
        [
            '2026-11-24T11:59:01Z "GET /price/europe" 200',
            f"2026-11-24T11:59:02Z connecting with token={TOKEN}",
            *(f"2026-11-24T11:59:03Z {line}" for line in more),
            '2026-11-24T11:59:04Z "GET /price/pacific"',
            "Traceback (most recent call last):",
            '  File "/app/shop/server.py", line 20, in do_GET',
            "    answer = total(10, region)",
            '  File "/app/shop/pricing.py", line 15, in total',
            "    amount = price * rate_for(region)",
            '  File "/app/shop/pricing.py", line 10, in rate_for',
            '    raise LookupError(f"no rate for {region}")',
            "LookupError: no rate for pacific",
            '2026-11-24T11:59:04Z "GET /price/pacific" 500',
        ]
    )


def replica_set(pod_hash: str, url: str, commit: str, image: str) -> dict[str, Any]:
    return {
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"shop-{pod_hash}",
            "labels": {"rollouts-pod-template-hash": pod_hash},
            "annotations": {"selfheal.io/source-repo": url, "selfheal.io/source-revision": commit},
        },
        "spec": {"template": {"spec": {"containers": [{"name": "shop", "image": image}]}}},
    }


def pod(name: str, pod_hash: str, restarts: int) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"rollouts-pod-template-hash": pod_hash}},
        "status": {"phase": "Running", "containerStatuses": [{"name": "shop", "restartCount": restarts}]},
    }


@dataclass
class Scene:
    """One incident, and the world around it; `heal` runs the whole graph."""

    repository: FakeRepository = field(default_factory=history)
    log: str = field(default_factory=log_lines)
    rule: RepositoryRule = field(default_factory=lambda: RepositoryRule(match="*"))
    url: str = URL

    def __post_init__(self) -> None:
        self.forge = FakeForge({URL: {"main": self.repository.shas[-1]}})
        self.workspace = FakeWorkspace({URL: self.repository})
        self.sandbox = FakeSandbox(self.workspace, run_shop, suite)
        self.bundle = self._seal()
        self.journal = FakeJournal({"attempt": self.bundle})

    @property
    def stable(self) -> str:
        return self.repository.shas[2]

    @property
    def culprit(self) -> str:
        return self.repository.shas[3]

    @property
    def canary(self) -> str:
        return self.repository.shas[-1]

    def ports(self, models: Models | None) -> Ports:
        return Ports(
            journal=self.journal,
            repositories=FakeRepositories({URL: self.repository}),
            forge=self.forge,
            sandbox=self.sandbox,
            workspace=self.workspace,
            policy=Policy(repositories=(self.rule,)),
            models=models,
        )

    async def heal(self, models: Models | None) -> Outcome:
        await build().ainvoke({"attempt": "attempt"}, context=self.ports(models))
        if self.journal.outcome is None:
            raise AssertionError("the graph ended without an outcome")
        return self.journal.outcome

    @property
    def pull_request(self) -> Record:
        """The one that was opened."""
        (record,) = self.forge.pull_requests(URL)
        return record

    @property
    def issue(self) -> Record:
        """The one that was opened."""
        (record,) = self.forge.issues(URL)
        return record

    def add_object(self, kind: str, name: str, document: dict[str, Any]) -> None:
        """Put one more object into the evidence."""
        self.bundle = self._seal(
            Answer(id=f"objects/{kind}/{name}", kind="object", side="none", status="ok", content=document)
        )
        self.journal = FakeJournal({"attempt": self.bundle})

    def _seal(self, *more_answers: Answer) -> Bundle:
        stable, canary = "7c9d8f6b5", "5f8b9d7c4"
        incident = Incident(
            cluster="eu-west",
            namespace="storefront",
            rollout="shop",
            uid="0d0e6a4c-77bc-4b39-9f0d-0a9b2f6f1f55",
            canary_hash=canary,
            revision="7",
            stable_hash=stable,
        )

        def answer(name: str, kind: Any, content: Any, side: Side = "none", **more: Any) -> Answer:
            return Answer(id=name, kind=kind, side=side, status=more.pop("status", "ok"), content=content, **more)

        answers = [
            answer(
                f"objects/replicaset/shop-{stable}", "object", replica_set(stable, self.url, self.stable, "shop:2.3.0")
            ),
            answer(
                f"objects/replicaset/shop-{canary}", "object", replica_set(canary, self.url, self.canary, "shop:2.4.0")
            ),
            answer("objects/pod/shop-7c9d8f6b5-k8m2z", "object", pod("shop-7c9d8f6b5-k8m2z", stable, 0), "stable"),
            answer("objects/pod/shop-5f8b9d7c4-x2v7q", "object", pod("shop-5f8b9d7c4-x2v7q", canary, 3), "canary"),
            answer("events", "events", [{"reason": "Unhealthy", "message": "Readiness probe failed"}]),
            answer(LOG, "log", self.log, "canary"),
            answer("logs/stable/shop-7c9d8f6b5-k8m2z/shop", "log", '"GET /price/europe" 200\n', "stable"),
            answer(
                "logs/canary/shop-5f8b9d7c4-q9w8e/shop",
                "log",
                None,
                "canary",
                status="gone",
                reason="the pod was deleted",
            ),
        ]
        return seal(incident, 1, [*answers, *more_answers], START)
