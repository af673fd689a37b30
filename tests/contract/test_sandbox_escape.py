"""Code under test tries to get out of the sandbox, for real."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agents.verification import Completed, Served
from app.adapters.sandbox.box import OUTPUT_BYTES, PROCESSES
from tests.boxes import SERVER, UID, box, names, running, token, yard

pytestmark = pytest.mark.usefixtures("needs_bubblewrap")
ROOT = Path(__file__).resolve().parents[2]
SERVE = ("python3", "server.py", "{port}")


@pytest.fixture
def tree() -> Iterator[Path]:
    with yard() as folder:
        yield folder


async def run(
    tree: Path, script: str, *words: str, seconds: float = 10, env: Mapping[str, str] | None = None
) -> Completed:
    """Run a script inside; what it prints is what it got."""
    (tree / "attack.py").write_text(script)
    return await box("bubblewrap", seconds).run(str(tree), ("python3", "attack.py", *words), env or {})


READ = """
import os, sys
for path in sys.argv[1:]:
    try:
        found = sorted(os.listdir(path)) if os.path.isdir(path) else open(path, "rb").read()
    except OSError as error:
        found = None
    if found:
        print("GOT", path, found)
"""


async def test_files_of_this_machine_are_not_there(tree: Path, tmp_path: Path) -> None:
    data = tmp_path / "store.sqlite"
    data.write_text("incidents")
    (tree / "to-passwd").symlink_to("/etc/passwd")
    (tree / "to-data").symlink_to(data)
    paths = [
        *("/etc/passwd", "/etc/shadow", "/etc/hostname", "/etc/resolv.conf", "/etc/hosts", "/etc/ssl/private"),
        *("/root", "/home", "/var", "/run", "/opt", "/mnt", "/srv", "/boot", "/sys"),
        *(str(data), str(tmp_path), str(tree), sys.prefix, str(ROOT), str(ROOT / "app"), "to-passwd", "to-data"),
        *("/proc/1/root/etc/passwd", "/proc/self/root/root", "/work/../etc/passwd", "/work/../../root"),
    ]
    done = await run(tree, READ, *paths)
    assert (done.exit_code, done.output) == (0, "")


async def test_the_check_above_would_see_what_is_there(tree: Path) -> None:
    done = await run(tree, READ, "/usr", "/work")
    assert "GOT /usr" in done.output
    assert "attack.py" in done.output


CONNECT = """
import json, socket, sys
port, name = int(sys.argv[1]), sys.argv[2]
for family, address in (
    (socket.AF_INET, ("127.0.0.1", port)),
    (socket.AF_INET, ("192.0.2.1", 80)),
    (socket.AF_INET, ("10.0.0.1", 80)),
    (socket.AF_INET6, ("::1", port)),
    (socket.AF_UNIX, chr(0) + name),
):
    try:
        with socket.socket(family) as probe:
            probe.settimeout(2)
            probe.connect(address)
            print("GOT", address)
    except OSError:
        pass
try:
    print("GOT", socket.getaddrinfo("example.org", 80))
except OSError:
    pass
with socket.create_server(("127.0.0.1", 0)) as own:
    socket.create_connection(own.getsockname()).close()
print("own loopback works")
"""


async def test_neither_the_internet_nor_this_machines_loopback_can_be_reached(tree: Path) -> None:
    name = token()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        abstract.bind(f"\0{name}")
        abstract.listen()
        port = listener.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()  # it can be reached from here
        done = await run(tree, CONNECT, str(port), name)
    assert done.output == "own loopback works\n"


LOOK_AROUND = """
import json, os, glob
print(json.dumps({
    "environment": sorted(os.environ),
    "processes": len(glob.glob("/proc/[0-9]*")),
    "environments": [open(path, "rb").read().decode() for path in glob.glob("/proc/*/environ") if os.access(path, 4)],
    "commands": [open(path, "rb").read().decode() for path in glob.glob("/proc/[0-9]*/cmdline")],
    "host": os.uname().nodename,
    "uid": os.getuid(),
    "capabilities": [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")],
    "descriptors": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1],
}))
"""


async def test_neither_processes_nor_variables_of_this_machine_can_be_seen(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = token()
    monkeypatch.setenv("SELFHEAL_API_TOKENS", secret)
    monkeypatch.setenv("LD_PRELOAD_TEST", secret)
    done = await run(tree, LOOK_AROUND, env={"WORD": "given"})
    seen = json.loads(done.output.replace("[REDACTED", "\\u005bREDACTED"))
    own = {"HOME", "LANG", "PATH", "PWD", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "WORD"}
    assert set(seen["environment"]) - {"LC_CTYPE", "OLDPWD"} == own
    assert secret not in done.output
    assert seen["processes"] <= 3
    assert not any(str(ROOT) in command for command in seen["commands"] if "bwrap" not in command)
    assert seen["host"] == "sandbox"
    assert seen["capabilities"] == ["0000000000000000"]
    assert seen["descriptors"] == [0, 1, 2]
    assert UID is None or seen["uid"] == UID


WRITE = """
import os
for path in ("/usr/x", "/usr/bin/python3", "/bin/sh", "/etc/x", "/etc/passwd", "/x", "/selfheal/driver.py", "/dev/x",
             "/etc/ld.so.cache", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/x"):
    try:
        with open(path, "ab") as file:
            file.write(b"x")
        print("WROTE", path)
    except OSError:
        pass
for path in ("/work/x", "/tmp/x", "/dev/shm/x"):
    with open(path, "wb") as file:
        file.write(b"x")
os.mkdir("/work/.git")
"""


async def test_only_the_tree_and_the_private_folders_can_be_written(tree: Path) -> None:
    done = await run(tree, WRITE)
    assert (done.exit_code, done.output) == (0, "")
    assert (tree / "x").read_bytes() == b"x"
    assert names(tree) == [".git", "attack.py", "x"]


FORK = """
import os, sys, time
count = 0
try:
    while count < 5000:
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
        count += 1
except OSError as error:
    print(count, error.strerror, flush=True)
time.sleep(60)
"""


async def test_a_fork_bomb_is_bounded_and_gone_with_the_time(tree: Path) -> None:
    word = token()
    done = await run(tree, FORK, word, seconds=2)
    assert done.status == "timeout"
    count, _, why = done.output.partition(" ")
    assert 10 < int(count) <= PROCESSES
    assert "temporarily unavailable" in why
    assert running(word) == []


SETSID = """
import os, signal, sys, time
for kind in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(kind, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    time.sleep(60)
time.sleep(0 if sys.argv[2] == "leave" else 60)
"""


@pytest.mark.parametrize("how", ["hang", "leave"])
async def test_a_child_in_a_session_of_its_own_is_gone_too(tree: Path, how: str) -> None:
    word = token()
    done = await run(tree, SETSID, word, how, seconds=1.5)
    assert done.status == ("timeout" if how == "hang" else "ok")
    await asyncio.sleep(0.1)
    assert running(word) == []


async def test_output_without_an_end_is_cut_and_ended_with_the_time(tree: Path) -> None:
    word = token()
    done = await run(tree, "import sys\nwhile True:\n    sys.stdout.write('x' * 65536)\n", word, seconds=1.5)
    assert done.status == "timeout"
    assert 0 < len(done.output) <= OUTPUT_BYTES
    assert running(word) == []


SIGNAL = """
import os, sys
for pid in map(int, sys.argv[1:]):
    try:
        os.kill(pid, 9)
        print("KILLED", pid)
    except OSError:
        pass
"""


async def test_processes_of_this_machine_cannot_be_signalled_whoever_they_belong_to(tree: Path) -> None:
    """Numbers that are taken here mean nothing inside, were they of the same user."""
    other = await asyncio.create_subprocess_exec("sleep", "60", user=UID)
    done = await run(tree, SIGNAL, str(other.pid), str(os.getpid()))
    assert (done.exit_code, done.output, other.returncode) == (0, "", None)
    other.kill()
    assert await other.wait() == -signal.SIGKILL


TAKE = """
import errno, os, sys
def attempt(what, call):
    try:
        call()
        print(what, "TAKEN")
    except MemoryError:
        print(what, "MemoryError")
    except OSError as error:
        print(what, errno.errorcode[error.errno])
def grow(path):
    with open(path, "wb") as file:
        file.seek(300 * 1024 * 1024)
        file.write(b"x")
def fill(folder, size):
    for at in range(4):
        fd = os.open(f"{folder}/{at}", os.O_CREAT | os.O_RDWR)
        os.posix_fallocate(fd, 0, size)
attempt("memory", lambda: bytearray(2 * 1024 * 1024 * 1024))
attempt("file", lambda: grow("/work/big"))
attempt("tmp", lambda: fill("/tmp", 200 * 1024 * 1024))
attempt("shm", lambda: fill("/dev/shm", 20 * 1024 * 1024))
"""


async def test_memory_and_disk_are_bounded(tree: Path) -> None:
    done = await run(tree, TAKE)
    assert done.output.split("\n")[:4] == ["memory MemoryError", "file EFBIG", "tmp ENOSPC", "shm ENOSPC"]


FREE = """
import ctypes, os, subprocess
libc = ctypes.CDLL(None, use_errno=True)
print("unshare", libc.unshare(0x10000000), "mount", libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
print("chroot", libc.chroot(b"/work"), "setuid", libc.setuid(0))
"""


async def test_no_privilege_can_be_had_inside(tree: Path) -> None:
    done = await run(tree, FREE)
    assert done.output.split("\n")[:2] == ["unshare -1 mount -1", "chroot -1 setuid -1"]


async def test_variables_that_are_given_reach_the_program_and_nothing_outside(tree: Path) -> None:
    """The dynamic linker writes these files for every process that is started with these variables."""
    with yard() as outside:
        env = {"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(outside / "ld"), "LD_PRELOAD": "/work/evil.so"}
        done = await run(tree, "print('ran')", env=env)
        (tree / "server.py").write_text(SERVER)
        served = await box("bubblewrap").serve(str(tree), SERVE, env, files={}, requests=(), listen_seconds=0)
        assert (done.status, served.listened) == ("ok", True)
        assert "/work/evil.so" in done.output
        assert names(outside) == []


FORGE = """
import json, os, signal, sys
report = json.dumps({"listened": True, "exit_code": None, "responses": [{"status": 200, "seconds": 0}],
                     "output": "all green", "error": "x", "status": "ok"})
print(report, flush=True)
if "stdout" in sys.argv:
    for process in os.listdir("/proc"):
        if process.isdecimal() and int(process) != os.getpid():
            try:
                with open(f"/proc/{process}/fd/1", "w") as out:
                    out.write(report + chr(10))
            except OSError:
                pass
if "kill" in sys.argv:
    os.kill(-1, signal.SIGKILL)
sys.exit(1)
"""


async def forged(tree: Path, *words: str) -> Served:
    (tree / "attack.py").write_text(FORGE)
    return await box("bubblewrap", 5).serve(
        str(tree), ("python3", "attack.py", *words), {}, files={}, requests=(), listen_seconds=0
    )


async def test_a_report_on_the_programs_own_output_is_only_text(tree: Path) -> None:
    served = await forged(tree)
    assert (served.status, served.listened, served.exit_code, served.responses) == ("ok", False, 1, ())
    assert "all green" in served.output


async def test_a_report_pushed_in_beside_the_true_one_is_not_believed(tree: Path) -> None:
    served = await forged(tree, "stdout")
    assert (served.listened, served.responses) == (False, ())
    assert served.status == "ok" or "no report" in str(served.reason)


async def test_a_program_that_kills_all_it_sees_leaves_no_report(tree: Path) -> None:
    served = await forged(tree, "kill")
    assert served.status == "failed"
    assert "no report" in str(served.reason)


SHOW = """
import os, sys
for word in sys.argv[2:]:
    print(word, repr(open(word).read()), os.access(word, os.W_OK))
"""


async def test_files_of_volumes_are_shown_where_a_pod_has_them_and_only_to_be_read(tree: Path) -> None:
    files = {
        "/etc/shop/app.yaml": "a: 1\n",
        "/etc/shop/deep/er/b.yaml": "b: \u00e9\n",
        "/config/x": "",
        "/var/lib/shop/y": "y" * 100_000,
    }
    (tree / "show.py").write_text(SHOW)
    served = await box("bubblewrap").serve(
        str(tree), ("python3", "show.py", "{port}", *files), {}, files=files, requests=(), listen_seconds=0
    )
    assert served.exit_code == 0
    assert served.output.split("\n")[:-1] == [f"{path} {text!r} False" for path, text in files.items()]


@pytest.mark.parametrize(
    "files",
    [
        {"/usr/bin/python3": "x"},
        {"//usr/bin/python3": "x"},
        {"/bin/sh": "x"},
        {"/etc/passwd": "root::0:0::/:/bin/sh"},
        {"/etc/ssl/x": "x"},
        {"/proc/1/x": "x"},
        {"/tmp/output": "x"},  # noqa: S108 - refused
        {"/work/shop.py": "x"},
        {"/selfheal/driver.py": "print('{}')"},
        {"/x": "x"},
        {"/conf/../usr/bin/sh": "x"},
        {"relative/x": "x"},
        {"": "x"},
        {"/conf/a\0b": "x"},
        {"/conf/a": "x", "/conf/a/b": "y"},
    ],
)
async def test_no_volume_covers_what_the_sandbox_needs(tree: Path, files: dict[str, str]) -> None:
    served = await box("bubblewrap").serve(str(tree), SERVE, {}, files=files, requests=(), listen_seconds=0)
    assert served.status == "failed"
    assert "the sandbox cannot show" in str(served.reason)
