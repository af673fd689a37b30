"""Stages a scenario: builds its repositories, runs both versions, and writes the bundle folder they leave."""

import asyncio
import hashlib
import json
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from app.demo import objects
from app.demo.objects import Stage
from app.demo.pods import build_program, run_version
from app.demo.repositories import build, check_out
from app.demo.story import Scenario

CLUSTER = "demo"
RESTARTS = 2


async def stage_scenario(scenario: Scenario, workdir: Path, now: datetime) -> Stage:
    """Run the scenario up to the moment where Argo Rollouts notifies."""
    forge = workdir / "forge"
    source, deploy = build(scenario.source, forge, now), build(scenario.deploy, forge, now)
    hashes = tuple(hashlib.sha256(f"{scenario.service} {tag}".encode()).hexdigest()[:10] for tag in scenario.images)
    runs = []
    for side, commit, config, pods in (
        (0, scenario.source.stable, scenario.stable_config, 2),
        (1, scenario.source.canary, scenario.canary_config, RESTARTS),
    ):
        tree = workdir / "images" / f"{scenario.service}-{scenario.images[side]}"
        check_out(source, source.shas[commit], tree)
        names = [f"{scenario.service}-{hashes[side]}-{suffix}" for suffix in ("7x2kd", "m4q9z", "c8w5t")[:pods]]
        if scenario.build:
            await asyncio.to_thread(build_program, tree, scenario.build, workdir / "cache")
        runs.append(await run_version(tree, scenario, config, names))
    stage = Stage(
        scenario=scenario,
        source=source,
        deploy=deploy,
        stable=runs[0],
        canary=runs[1],
        hashes=(hashes[0], hashes[1]),
        uid=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{workdir}/{scenario.service}")),
        now=now,
    )
    write_evidence(stage, workdir / "bundles")
    return stage


def write_evidence(stage: Stage, bundles: Path) -> None:
    """What the cluster still holds, in the layout of a bundle (DESIGN section 7)."""
    scenario = stage.scenario
    folder = bundles / CLUSTER / scenario.namespace / scenario.service / stage.hashes[1]
    things = [
        ("objects/rollout", objects.rollout(stage, after_abort=True)),
        *(("objects/replicaset", objects.replica_set(stage, side)) for side in (0, 1)),
        *(("objects/pod", objects.pod(stage, 0, one)) for one in stage.stable.pods),
        *(("objects/pod", objects.pod(stage, 1, one)) for one in stage.canary.pods),
        ("config", objects.config_map(stage)),
        ("objects/application", objects.application(stage)),
    ]
    if not stage.crashed:
        things.append(("objects/analysisrun", objects.analysis_run(stage)))
    for kind, thing in things:
        _write(folder / kind / f"{thing['metadata']['name']}.json", thing)
    _write(folder / "events.json", objects.events(stage))
    for side, run in (("stable", stage.stable), ("canary", stage.canary)):
        for pod in run.pods:
            place = folder / "logs" / side / pod.name
            place.mkdir(parents=True)
            (place / f"{scenario.service}.log").write_text(pod.log, encoding="utf-8")
            if side == "canary" and stage.crashed:
                # a crash-looping container's current log is that of its last run (FINDINGS 5)
                (place / f"{scenario.service}.previous.log").write_text(pod.log, encoding="utf-8")


def _write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
