"""`selfheal doctor`: tries what the service needs, with the service's own parts, and says what to do.

Nothing is changed and no secret is shown. Exit code 0 if nothing failed.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple

from agents.errors import Invalid
from agents.evidence import Cluster
from agents.graph import Ports
from app.adapters.bundle_dir import BundleDirectory
from app.adapters.cluster import LiveCluster
from app.data_folder import store_file, store_url
from app.doctor.cluster import check_cluster
from app.doctor.finding import Finding, document, fail, ok, warn
from app.doctor.github import check_github
from app.doctor.machine import (
    check_folders,
    check_git,
    check_policy,
    check_registries,
    check_repositories,
    check_sandbox,
    check_tokens,
)
from app.doctor.model import check_model
from app.doctor.rollout import check_rollout
from app.listening import Feed
from app.main import open_clusters
from app.settings import Settings, read_policy, read_settings
from app.store import inbox
from app.store.database import Database
from app.worker import build_ports

__all__ = ["Finding", "document", "examine"]


class _Where(NamedTuple):
    """What the caller named."""

    cluster: str | None
    namespace: str | None
    rollout: str | None


async def examine(
    cluster: str | None, namespace: str | None, rollout: str | None, *, ask_model: bool = False
) -> AsyncIterator[Finding]:
    """Every check in turn. `rollout` in `namespace` is looked at as if its canary had failed.

    `ask_model` has the model say a word, which may cost money.
    """
    try:
        settings = read_settings()
        policy = read_policy(settings.policy)
    except Invalid as error:
        yield fail("settings", str(error), "put this right first; the service refuses to start")
        return
    yield ok("settings", "all of them can be read")
    for finding in (*check_tokens(settings), *check_policy(settings, policy), *check_folders(settings)):
        yield finding
    yield await check_model(settings, ask=ask_model)
    db = Database(store_url(settings.data_dir))
    try:
        async for finding in _with_ports(settings, db, _Where(cluster, namespace, rollout)):
            yield finding
    except Invalid as error:
        yield fail("settings", str(error), "put this right; the service would not work with it")
    finally:
        await db.close()


async def _with_ports(settings: Settings, db: Database, where: _Where) -> AsyncIterator[Finding]:
    ports = await build_ports(settings, db, alone=False)
    yield await check_git()
    yield await check_sandbox(settings, ports)
    async for finding in check_repositories(ports.policy, ports):
        yield finding
    async for finding in check_github(settings, ports.policy):
        yield finding
    for finding in check_registries(settings):
        yield finding
    async for finding in _received(settings, db):
        yield finding
    live = await open_clusters(settings)
    try:
        async for finding in _clusters(settings, ports, live, where):
            yield finding
    finally:
        if live is not None:
            await live.close()


async def _clusters(settings: Settings, ports: Ports, live: Feed | None, where: _Where) -> AsyncIterator[Finding]:
    evidence: Cluster | None = BundleDirectory(settings.bundles) if settings.bundles else live
    if evidence is None:
        todo = "set SELFHEAL_KUBECONFIG or SELFHEAL_BUNDLES, or run in a pod with a service account"
        yield warn("cluster", "there is no cluster to read evidence from", todo)
        return
    if isinstance(live, LiveCluster) and settings.bundles is None:
        for name in live.names:
            if where.cluster in {None, name}:
                async for finding in check_cluster(live, name, settings, where.namespace):
                    yield finding
    if where.rollout is not None and where.namespace is not None:
        name = where.cluster or settings.clusters[0]
        async for finding in check_rollout(evidence, ports, (name, where.namespace, where.rollout)):
            yield finding


async def _received(settings: Settings, db: Database) -> AsyncIterator[Finding]:
    """What came of the notifications so far; a call with a wrong token is refused and kept nowhere."""
    if not store_file(settings.data_dir).is_file():
        yield ok("received", "the service has not run on this data folder yet")
        return
    for name in settings.clusters:
        last = await inbox.newest(db, name)
        if last is not None:
            yield ok("received", f"the last notification of {name} came at {last:%Y-%m-%d %H:%M} UTC")
            continue
        todo = (
            "see the subscription, and the log and `notification_send_error` of the Argo Rollouts controller: 401 is "
            "a wrong token, or the literal `Bearer $selfheal-token`, sent when its Secret lacks the key selfheal-token"
        )
        yield warn("received", f"no notification of {name} has been accepted yet", todo)
