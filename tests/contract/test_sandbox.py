"""What any `Sandbox` promises, held by the fake, by bubblewrap and by the plain process."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agents.verification import Request, Response, Sandbox, Served
from app.adapters.sandbox import Box, Limits
from app.adapters.sandbox.box import OUTPUT_BYTES
from tests.boxes import SERVER, Mode, box, running, token, yard
from tests.fakes import FakeSandbox, FakeWorkspace, Files

FINE, FAIL = Request(method="GET", path="/fine"), Request(method="GET", path="/fail?a=1")
SERVE = ("python3", "server.py", "{port}")
REAL: tuple[Mode, ...] = ("bubblewrap", "process")


@pytest.fixture
def tree() -> Iterator[Path]:
    with yard() as folder:
        yield folder


@pytest.fixture(params=REAL)
def mode(request: pytest.FixtureRequest) -> Mode:
    if request.param == "bubblewrap":
        request.getfixturevalue("needs_bubblewrap")
    found: Mode = request.param
    return found


def behave(files: Files, env: Mapping[str, str], requests: tuple[Request, ...]) -> Served:
    """What `SERVER` does, as the fake's program."""
    if "server.py" not in files:
        return Served(status="ok", exit_code=2, output="python3: can't open file 'server.py'\n")
    answers = tuple(Response(status=500 if one == FAIL else 200, seconds=0.0) for one in requests)
    failed = "ValueError: no price for /fail?a=1\n" * requests.count(FAIL)
    return Served(status="ok", listened=True, responses=answers, output=failed + env.get("WORD", ""))


@pytest.fixture(params=["fake", *REAL])
def ground(request: pytest.FixtureRequest, tree: Path) -> tuple[Sandbox, str]:
    """A sandbox, and a tree with the server in it."""
    if request.param == "fake":
        workspace = FakeWorkspace({})
        workspace.trees["t"] = {"server.py": SERVER}
        return FakeSandbox(workspace, behave), "t"
    if request.param == "bubblewrap":
        request.getfixturevalue("needs_bubblewrap")
    (tree / "server.py").write_text(SERVER)
    return box(request.param), str(tree)


async def serve(sandbox: Sandbox, tree: str, *requests: Request, argv: tuple[str, ...] = SERVE) -> Served:
    return await sandbox.serve(tree, argv, {}, files={}, requests=requests, listen_seconds=0)


async def test_a_server_is_asked_in_order_and_what_it_logs_late_is_kept(ground: tuple[Sandbox, str]) -> None:
    served = await serve(*ground, FINE, FAIL, FINE)
    assert (served.status, served.listened, served.exit_code) == ("ok", True, None)
    assert [answer.status for answer in served.responses] == [200, 500, 200]
    assert "ValueError: no price for /fail?a=1" in served.output


async def test_a_program_that_dies_before_it_listens_is_no_failure_of_the_sandbox(
    ground: tuple[Sandbox, str], tree: Path
) -> None:
    sandbox, handle = ground
    if isinstance(sandbox, FakeSandbox):
        sandbox.workspace.trees[handle] = {}
    (tree / "server.py").unlink(missing_ok=True)
    served = await serve(sandbox, handle, FINE)
    assert (served.status, served.listened, served.exit_code, served.responses) == ("ok", False, 2, ())
    assert "server.py" in served.output


async def test_a_command_runs_to_its_end_and_says_how(mode: Mode, tree: Path) -> None:
    script = "import os, sys; print(os.getcwd(), os.environ['WORD']); sys.exit(3)"
    done = await box(mode).run(str(tree), ("python3", "-c", script), {"WORD": "a b\nc='d'"})
    place = "/work" if mode == "bubblewrap" else str(tree)
    assert (done.status, done.exit_code, done.output) == ("ok", 3, f"{place} a b\nc='d'\n")


async def test_a_program_that_is_not_there_is_named(mode: Mode, tree: Path) -> None:
    sandbox = box(mode)
    done = await sandbox.run(str(tree), ("no-such-program", "x"), {})
    served = await serve(sandbox, str(tree), argv=("no-such-program", "{port}"))
    assert (done.status, served.status) == ("failed", "failed")
    assert "no-such-program" in str(done.reason)
    assert served.reason == "cannot start no-such-program: No such file or directory"


@pytest.mark.usefixtures("needs_bubblewrap")
async def test_a_user_that_cannot_be_become_is_no_end_of_the_program(tree: Path) -> None:
    sandbox = Box("bubblewrap", Limits(seconds=10, memory_mb=512, uid=2**40))
    done = await sandbox.run(str(tree), ("true",), {})
    assert done.status == "failed"
    assert str(done.reason).startswith("launch: cannot prepare bwrap: ")


async def test_a_program_may_say_what_the_sandbox_says_and_is_still_only_a_program(mode: Mode, tree: Path) -> None:
    done = await box(mode).run(str(tree), ("python3", "-c", "print('bwrap: launch: cannot start x')"), {})
    assert (done.status, done.exit_code) == ("ok", 0)


@pytest.mark.parametrize("env", [{"A=B": "x"}, {"": "x"}, {"A": "x\0y"}, {"A\0": "x"}])
async def test_what_no_process_can_have_of_environment_is_refused(mode: Mode, tree: Path, env: dict[str, str]) -> None:
    sandbox = box(mode)
    done = await sandbox.run(str(tree), ("true",), env)
    served = await sandbox.serve(str(tree), SERVE, env, files={}, requests=(), listen_seconds=0)
    assert (done.status, served.status) == ("failed", "failed")
    assert "variable" in str(done.reason)
    assert done.reason == served.reason


async def test_what_cannot_be_started_at_all_says_so(mode: Mode, tree: Path) -> None:
    done = await box(mode).run(str(tree), ("true",), {"LONG": "x" * 200_000})
    assert (done.status, done.reason) == ("failed", "cannot start true: Argument list too long")


async def test_output_is_cut_at_its_head_and_stays_text(mode: Mode, tree: Path) -> None:
    script = "import sys; sys.stdout.buffer.write(b'\\xff\\x00x\\n' * 3_000_000); print('the end')"
    done = await box(mode).run(str(tree), ("python3", "-c", script), {})
    assert len(done.output) <= OUTPUT_BYTES
    assert done.output.endswith("the end\n")
    assert "\0" not in done.output


async def test_a_report_holds_any_output_however_long_it_gets_as_json(mode: Mode, tree: Path) -> None:
    (tree / "server.py").write_text("print('\\u0416\\x01\"' * 200_000, flush=True)\n" + SERVER)
    served = await serve(box(mode), str(tree), FINE)
    assert (served.status, [answer.status for answer in served.responses]) == ("ok", [200])
    assert "\u0416\x01" in served.output


async def test_a_secret_in_the_output_is_redacted(mode: Mode, tree: Path) -> None:
    secret = "ghp_" + "a1B2" * 9
    (tree / "server.py").write_text(f"print('token', '{secret}', flush=True)\n" + SERVER)
    sandbox = box(mode)
    served = await serve(sandbox, str(tree))
    done = await sandbox.run(str(tree), ("python3", "-c", f"print('{secret}')"), {})
    for output in (served.output, done.output):
        assert secret not in output
        assert "[REDACTED" in output


async def test_a_path_that_no_request_line_can_hold_is_encoded(mode: Mode, tree: Path) -> None:
    (tree / "server.py").write_text(SERVER)
    odd = tuple(Request(method="GET", path=path) for path in ("/caf\u00e9 x", "/a%20b?c=%2F", "/[x]|y"))
    served = await serve(box(mode), str(tree), *odd)
    assert [answer.status for answer in served.responses] == [200, 200, 200]
    for logged in ('"GET /caf%C3%A9%20x HTTP/1.1"', '"GET /a%20b?c=%2F HTTP/1.1"', '"GET /[x]|y HTTP/1.1"'):
        assert logged in served.output


async def test_whoever_listens_is_watched_for_as_long_as_asked(mode: Mode, tree: Path) -> None:
    (tree / "server.py").write_text(SERVER.replace("serve_forever()", "handle_request(); sys.exit(4)"))
    began = time.monotonic()
    served = await box(mode).serve(str(tree), SERVE, {}, files={}, requests=(), listen_seconds=0.5)
    assert (served.listened, served.exit_code) == (True, 4)
    assert time.monotonic() - began < 8


STUBBORN = "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


@pytest.mark.parametrize("script", ["import time; time.sleep(60)", STUBBORN], ids=["patient", "deaf"])
async def test_after_the_time_nothing_that_was_started_runs_on(mode: Mode, tree: Path, script: str) -> None:
    word = token()
    sandbox = box(mode, seconds=1)
    served, done = await asyncio.gather(
        serve(sandbox, str(tree), argv=("python3", "-c", script, word)),
        sandbox.run(str(tree), ("python3", "-c", script, word), {}),
    )
    assert (served.status, done.status) == ("timeout", "timeout")
    assert served.reason == done.reason == "not finished after 1 s"
    assert running(word) == []


async def test_a_request_that_hangs_ends_with_the_time(mode: Mode, tree: Path) -> None:
    word = token()
    (tree / "server.py").write_text(SERVER)
    argv = ("python3", "server.py", "{port}", word)
    served = await serve(box(mode, seconds=1.5), str(tree), Request(method="GET", path="/hang"), argv=argv)
    assert served.status == "timeout"
    assert running(word) == []


async def test_a_cancelled_call_ends_what_it_started(mode: Mode, tree: Path) -> None:
    word = token()
    task = asyncio.create_task(serve(box(mode), str(tree), argv=("python3", "-c", "import time; time.sleep(60)", word)))
    await asyncio.sleep(1)
    assert running(word) != []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.1)
    assert running(word) == []


async def test_a_child_that_keeps_the_pipe_open_does_not_hold_up_a_plain_process(tree: Path) -> None:
    word = token()
    script = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', sys.argv[1]],"
        " start_new_session=True); print('done')"
    )
    began = time.monotonic()
    done = await box("process", seconds=9).run(str(tree), ("python3", "-c", script, word), {})
    assert (done.status, done.output) == ("ok", "done\n")
    assert time.monotonic() - began < 5
    for process in running(word):  # nothing but isolation ends what has left its session
        os.kill(process, signal.SIGKILL)


async def test_without_bubblewrap_on_the_path_nothing_is_run(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox = box("bubblewrap")
    done = await sandbox.run(str(tree), ("true",), {})
    served = await serve(sandbox, str(tree))
    assert done.reason == served.reason == "no sandbox: bubblewrap is not installed (package bubblewrap)"


async def test_a_plain_process_cannot_show_the_files_of_a_volume(tree: Path) -> None:
    served = await box("process").serve(str(tree), SERVE, {}, files={"/conf/a": "x"}, requests=(), listen_seconds=0)
    assert served.status == "failed"
    assert "ConfigMap" in str(served.reason)
