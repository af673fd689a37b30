"""Captures of recordings through the real capture path: HTTP to a replaying server, ownership rules, sealing."""

from pathlib import Path

from agents.evidence import Bundle
from agents.incident import Incident
from app.adapters.cluster import LiveCluster, load_contexts
from app.capture import capture
from app.clock import utc_now
from app.notification import identify
from tests.replay.recording import Recording
from tests.replay.server import ReplayServer

LATE_ABORT = {"20-receiver-500": 13.0, "22-receiver-hangs-5s": 9.0}
"""Seconds that the controller held the abort back for, because of another receiver: begin a little before its end."""


async def capture_recorded(recording: Recording, folder: Path, ago: float = 0.0) -> tuple[Bundle, ReplayServer]:
    """The bundle of a capture that begins with the first webhook, or `ago` seconds after it."""
    async with ReplayServer(recording).serve() as server:
        contexts = await load_contexts(server.kubeconfig(folder / "kubeconfig"), {"prod": "replay"})
        live = LiveCluster(contexts)
        assert await live.check("prod")
        server.begin(ago)
        incident = identify(recording.rollout_at(ago), "prod")
        assert isinstance(incident, Incident)
        assert incident.canary_hash == recording.canary_hash
        bundle = await capture(live, incident, 1, None, utc_now)
        await live.close()
    return bundle, server
