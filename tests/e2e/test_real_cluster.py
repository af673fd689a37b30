"""The same on a real cluster with Argo Rollouts, where SELFHEAL_TEST_KUBECONFIG names one.

The namespace is created and removed by the test; the context may create namespaces and Rollouts in them.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.client import ApiClient, CoreV1Api, CustomObjectsApi, V1Namespace, V1ObjectMeta
from kubernetes.aio.config import new_client_from_config

from agents.evidence import Target
from agents.evidence.recording import Recording
from agents.incident import Incident
from app.adapters.cluster import LiveCluster, load_contexts
from app.capture import capture, target_of
from app.clock import utc_now
from app.notification import identify
from app.reconciler import sighting_of
from app.recorder import Recorder
from tests.conftest import TEST_KUBECONFIG
from tests.replay.service import until

IMAGE = "busybox:1.37"
GOOD, BAD = "while true; do echo serving; sleep 1; done", "echo 'KeyError: the cause'; exit 1"
ROLLOUTS = ("argoproj.io", "v1alpha1")

pytestmark = pytest.mark.skipif(not TEST_KUBECONFIG, reason="SELFHEAL_TEST_KUBECONFIG names no cluster")


def rollout(namespace: str, script: str) -> dict[str, Any]:
    labels = {"app": "selfheal-test"}
    container = {"name": "app", "image": IMAGE, "command": ["sh", "-c", script]}
    return {
        "apiVersion": "/".join(ROLLOUTS),
        "kind": "Rollout",
        "metadata": {"name": "selfheal-test", "namespace": namespace},
        "spec": {
            "replicas": 2,
            "progressDeadlineSeconds": 30,
            "progressDeadlineAbort": True,
            "selector": {"matchLabels": labels},
            "strategy": {"canary": {"maxUnavailable": 0, "steps": [{"setWeight": 50}, {"pause": {}}]}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


@pytest.fixture
async def client() -> AsyncIterator[ApiClient]:
    made = await new_client_from_config(config_file=TEST_KUBECONFIG, persist_config=False)
    yield made
    await made.close()


@pytest.fixture
async def namespace(client: ApiClient) -> AsyncIterator[str]:
    name = f"selfheal-test-{uuid.uuid4().hex[:8]}"
    core = CoreV1Api(client)
    body = V1Namespace(metadata=V1ObjectMeta(name=name))
    await core.create_namespace_without_preload_content(body, _request_timeout=30.0)
    yield name
    await core.delete_namespace_without_preload_content(name, _request_timeout=30.0)


async def test_a_canary_that_crash_loops_is_found_and_its_log_is_kept(client: ApiClient, namespace: str) -> None:
    objects = CustomObjectsApi(client)
    live = LiveCluster(await load_contexts(Path(str(TEST_KUBECONFIG)), {"prod": ""}))
    assert await live.check("prod")

    async def current() -> dict[str, Any]:
        (found,) = (await live.find("prod", namespace, "selfheal-test")).objects
        return found

    async def is_healthy() -> bool:
        return bool((await current()).get("status", {}).get("phase") == "Healthy")

    async def has_failed() -> bool:
        recorder.see_rollout("prod", await current())
        return sighting_of(await current(), "prod") is not None

    async def recorded(target: Target) -> tuple[Recording, ...]:
        return (recorder.recording(target),)

    recorder = Recorder(live, "canary", (namespace,))
    task = asyncio.create_task(recorder.run())
    try:
        place = (*ROLLOUTS, namespace, "rollouts")
        await objects.create_namespaced_custom_object(*place, rollout(namespace, GOOD), _request_timeout=30.0)
        await until(is_healthy, 180)
        change = {"spec": rollout(namespace, BAD)["spec"]}
        await objects.patch_namespaced_custom_object(
            *place, "selfheal-test", change, _content_type="application/merge-patch+json", _request_timeout=30.0
        )
        await until(has_failed, 180)
        incident = identify(await current(), "prod")
        assert isinstance(incident, Incident)
        bundle = await capture(live, incident, 1, None, utc_now, recorded)
        assert target_of(incident).canary_hash == bundle.manifest.canary.hash
        assert any("KeyError: the cause" in bundle.contents[item.id] for item in bundle.logs("canary"))
        assert bundle.objects("rollout")[0]["status"]["abortedAt"]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await live.close()
