"""Nothing leaves the machine but the calls of the model, whatever the environment asks LangChain's libraries to do."""

import json
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.model_server import call, model_server
from tests.playing import DONE, conclusion, edit
from tests.scene import FIX, Scene

ROOT = Path(__file__).resolve().parents[2]
HEAL = """
import asyncio, json, sys
reached = set()

def watch(event, arguments):
    if event == "socket.getaddrinfo":
        reached.add(str(arguments[0]))
    if event == "socket.connect":
        reached.add(str(arguments[1][0]))

sys.addaudithook(watch)
import app.worker  # as the worker does: LangChain is imported before the guard is called
from app import telemetry
if sys.argv[2] == "guarded":
    telemetry.keep_home()
from app.adapters.llm import ChatModels
from tests.fake_models import PLENTY
from tests.scene import Scene

async def heal():
    models = ChatModels("m", sys.argv[1], None, PLENTY)
    outcome = await Scene().heal(models)
    await models.close()
    return outcome.kind

kind = asyncio.run(heal())
from langchain_core.tracers.langchain import wait_for_all_tracers
wait_for_all_tracers()
print(json.dumps({"outcome": kind, "reached": sorted(reached)}))
"""


@contextmanager
def collector() -> Iterator[tuple[str, list[str]]]:
    """A server that takes whatever is sent to it, and the list of what came."""
    came: list[str] = []

    class Take(BaseHTTPRequestHandler):
        def take(self) -> None:
            came.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = do_PATCH = take  # noqa: N815 - the names that the server looks for

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's signature
            pass

    class Server(socketserver.ThreadingMixIn, HTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Take)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", came
    server.shutdown()
    server.server_close()


def heal(mode: str) -> tuple[dict[str, object], list[str]]:
    """Run the whole loop in a process of its own whose environment asks for tracing."""
    scene = Scene()
    with (
        collector() as (address, came),
        model_server(call("list_evidence"), conclusion(scene), edit(*FIX), DONE) as server,
    ):
        env = {
            "PATH": os.defpath,
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_TRACING_V2": "true",
            "LANGCHAIN_TRACING_V2": "true",
            "LANGSMITH_API_KEY": "lsv2_test",
            "LANGSMITH_ENDPOINT": address,
            "LANGCHAIN_ENDPOINT": address,
        }
        if mode == "guarded":
            env["LANGCHAIN_TRACING"] = "true"  # an old name, which alone would make every call fail
        done = subprocess.run(
            [sys.executable, "-c", HEAL, server.url, mode],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    if done.returncode != 0:
        pytest.fail(done.stderr[-2000:])
    document: dict[str, object] = json.loads(done.stdout.strip().split("\n")[-1])
    return document, came


def test_no_trace_is_sent_and_nothing_is_downloaded() -> None:
    document, came = heal("guarded")
    assert document == {"outcome": "proposed", "reached": ["127.0.0.1"]}
    assert came == []


def test_without_the_guard_the_trace_would_be_sent() -> None:
    """What makes the test above worth its name."""
    _, came = heal("bare")
    assert any("/runs" in one for one in came)
