"""Runs inside the sandbox: starts one program, waits for its port, sends requests, reports as JSON.

Standard library only and no import of ours: it is copied in alone and run by the sandbox's own Python.
Reads its orders from standard input and writes one JSON object to standard output. Whoever reads the
report treats it as untrusted, since the program under test shares this sandbox.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from typing import Any, BinaryIO

POLL_S = 0.05
QUIET_S = 0.25
"""A program is done with a request when its output rests so long: many log the error after the answer."""
LONGEST_QUIET_S = 2.0
STOP_S = 1.0
"""Given to the program to end by itself, once asked and once killed; box.GRACE_SECONDS is longer than both."""


def main() -> None:
    # Whoever ends this process ends the program with it: it has a session of its own.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    orders = json.load(sys.stdin)
    port = _free_port()
    env = dict(os.environ) | orders["env"] | {"PORT": str(port)}  # noqa: TID251 - the sandbox's own
    argv = [word.replace("{port}", str(port)) for word in orders["argv"]]
    with open("/tmp/output" if orders["boxed"] else orders["output"], "w+b") as output:  # noqa: PTH123, S108
        try:
            program = subprocess.Popen(  # noqa: S603
                argv, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        except (OSError, ValueError) as error:
            json.dump({"error": f"cannot start {argv[0]}: {getattr(error, 'strerror', None) or error}"}, sys.stdout)
            return
        try:
            report = _observe(program, port, orders, output)
        finally:
            _stop(program)
        output.seek(0, os.SEEK_END)
        output.seek(max(0, output.tell() - orders["output_bytes"]))
        report["output"] = output.read().decode("utf-8", "replace")
    json.dump(report, sys.stdout)


def _observe(program: "subprocess.Popen[bytes]", port: int, orders: dict[str, Any], output: BinaryIO) -> dict[str, Any]:
    listened = _wait_for_port(program, port, orders["start_seconds"])
    began = time.monotonic()
    responses = [_ask(port, request) for request in orders["requests"]] if listened else []
    if responses:
        _wait_for_quiet(output)
    while listened and program.poll() is None and time.monotonic() - began < orders["listen_seconds"]:
        time.sleep(POLL_S)
    return {"listened": listened, "exit_code": program.poll(), "responses": responses}


def _wait_for_port(program: "subprocess.Popen[bytes]", port: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until and program.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(POLL_S)
        else:
            return True
    return False


def _wait_for_quiet(output: BinaryIO) -> None:
    size, since, began = -1, time.monotonic(), time.monotonic()
    while time.monotonic() - since < QUIET_S and time.monotonic() - began < LONGEST_QUIET_S:
        now = os.fstat(output.fileno()).st_size
        if now != size:
            size, since = now, time.monotonic()
        time.sleep(POLL_S)


def _ask(port: int, request: dict[str, str]) -> dict[str, Any]:
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    status = None
    try:
        # As logged, but for what a request line cannot hold.
        path = urllib.parse.quote(request["path"], safe="!#$%&'()*+,/:;=?@[]~|{}^\\\"`<>")
        connection.request(request["method"], path)
        answer = connection.getresponse()
        answer.read(1_000_000)
        status = answer.status
    except (OSError, http.client.HTTPException):
        status = None
    finally:
        connection.close()
    return {"status": status, "seconds": time.monotonic() - began}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _stop(program: "subprocess.Popen[bytes]") -> None:
    """End the program and whatever it started that is still in its session."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(timeout=STOP_S)


if __name__ == "__main__":
    main()
