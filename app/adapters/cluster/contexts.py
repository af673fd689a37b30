"""Where clusters are and how to sign in there: the pod's own, or named contexts of a kubeconfig."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.aio.config.kube_config import refresh_token

from agents.errors import Invalid

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Context:
    """One cluster's configuration, and what keeps its token fresh."""

    def __init__(self, configuration: Configuration, loader: Any = None) -> None:
        self.configuration = configuration
        self._loader = loader

    async def keep_fresh(self) -> None:
        """Renew tokens that a plugin issues, for as long as that takes; the pod's own are read again by themselves."""
        if self._loader is not None:
            await refresh_token(self._loader, self.configuration)


def in_cluster() -> bool:
    """Whether this process has a service account: its files are there in every pod that mounts one."""
    return (SERVICE_ACCOUNT / "token").is_file() and (SERVICE_ACCOUNT / "ca.crt").is_file()


async def load_contexts(kubeconfig: Path | None, contexts: Mapping[str, str | None]) -> dict[str, Context]:
    """The contexts by the name of the cluster: context "" is the kubeconfig's current one, None the pod's own.

    `Invalid` says which file or context is wrong.
    """
    return {cluster: await _load(kubeconfig, context) for cluster, context in contexts.items()}


async def _load(kubeconfig: Path | None, context: str | None) -> Context:
    configuration = Configuration()
    if context is None:
        try:
            await asyncio.to_thread(load_incluster_config, configuration)
        except ConfigException as error:
            raise Invalid(f"the service account of this pod cannot be used: {error}") from error
        return Context(configuration)
    if kubeconfig is not None and not await asyncio.to_thread(kubeconfig.is_file):
        raise Invalid(f"SELFHEAL_KUBECONFIG: there is no file {kubeconfig}")
    try:
        loader = await load_kube_config(
            config_file=str(kubeconfig) if kubeconfig else None,
            context=context or None,
            client_configuration=configuration,
            persist_config=False,
        )
    except (ConfigException, OSError, yaml.YAMLError, TypeError, KeyError) as error:
        raise Invalid(f"SELFHEAL_KUBECONFIG: context {context or '(current)'}: {error}") from error
    return Context(configuration, loader)
