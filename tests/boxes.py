"""Sandboxes to test with: a yard that their user can reach, and programs to run in it."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from app.adapters.sandbox import Box, Limits

Mode = Literal["bubblewrap", "process"]
UID = 60999 if os.geteuid() == 0 else None
"""As the worker does: an ordinary user where the tests run as root."""

SERVER = """
import sys, time, traceback
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        failed = self.path.startswith("/fail")
        if self.path == "/hang":
            time.sleep(60)
        self.send_response(500 if failed else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()
        if failed:  # as servers do that log an error when the answer is out
            time.sleep(0.1)
            try:
                raise ValueError("no price for " + self.path)
            except ValueError:
                traceback.print_exc()

HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@contextmanager
def yard() -> Iterator[Path]:
    """A folder that the sandbox's user can reach and write, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="selfheal-yard-"))
    folder.chmod(0o755)
    if UID is not None:
        os.chown(folder, UID, UID)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def mode() -> Mode:
    """The strongest that this machine has."""
    return "bubblewrap" if shutil.which("bwrap") else "process"


def box(mode: Mode, seconds: float = 10, memory_mb: int = 1024) -> Box:
    return Box(mode, Limits(seconds=seconds, memory_mb=memory_mb, uid=UID))


def token() -> str:
    """A word that is nowhere else on this machine."""
    return f"t{uuid.uuid4().hex}"


def running(word: str) -> list[int]:
    """The processes of this machine whose command line or environment holds a word, but for our own."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        try:
            text = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if word.encode() in text:
            found.append(int(process.name))
    return found


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())
