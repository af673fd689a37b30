"""Starts the worker process beside the intake and starts it again when it ends.

The worker's standard input is a pipe from here: when the intake is gone, however it ended, the pipe closes and
the worker ends too.
"""

import asyncio
import contextlib
import sys

import structlog

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
STEADY_SECONDS = 60.0
"""A worker that ran this long had started well, so the next pause is the first one again."""
STOP_SECONDS = 10.0
# -P: whatever folder the service was started in, an `app` that lies there is not ours.
COMMAND = (sys.executable, "-P", "-m", "app.cli", "serve", "--role", "worker", "--with-parent")

log = structlog.get_logger(__name__)


async def watch_worker() -> None:
    """Keep one worker running until cancelled."""
    pause = FIRST_PAUSE
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        try:
            code: int | str = await _run()
        except OSError as error:
            code = f"cannot be started: {error}"
        pause = FIRST_PAUSE if loop.time() - began > STEADY_SECONDS else min(pause * 2, LONGEST_PAUSE)
        log.error("worker ended", exit_code=code, next_start_in=pause)
        await asyncio.sleep(pause)


async def _run() -> int:
    """One worker, from start to end; returns its exit code. Cancelled, it stops the worker first."""
    process = await asyncio.create_subprocess_exec(*COMMAND, stdin=asyncio.subprocess.PIPE)
    log.info("worker started", pid=process.pid)
    try:
        return await process.wait()
    except asyncio.CancelledError:
        await _stop(process)
        raise


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
