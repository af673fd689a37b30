"""What a process loads: the intake must be ready within a moment, and the command must answer at once."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WATCH = """
import json, sys
seen = []
def watch(event, args):
    if event == "open" or event.startswith("socket."):
        seen.append((event, str(args[0])))
sys.addaudithook(watch)
import app.main
print(json.dumps({"modules": sorted(sys.modules), "seen": seen}))
"""
SLOW = {"langgraph", "langchain", "langchain_core", "langchain_openai", "openai", "github", "dbos", "git"}
PROCESSES = {"app.main", "app.worker", "app.settings", "fastapi", "sqlalchemy"}


def printed(program: str, cwd: Path) -> str:
    command = [sys.executable, "-P", "-c", program]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=True).stdout


def test_the_intake_loads_nothing_of_the_worker_opens_no_socket_and_reads_no_file(tmp_path: Path) -> None:
    loaded = json.loads(printed(WATCH, tmp_path))
    assert "app.main" in loaded["modules"]
    assert {name for name in SLOW if name in loaded["modules"]} == set()
    # urllib3, below the Kubernetes client, makes a socket to see whether there is IPv6; it connects to nobody
    outside = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
    assert [what for what in loaded["seen"] if what[0] in outside] == []
    code = (
        str(ROOT / "app"),
        str(ROOT / "agents"),
        str(ROOT / "prompts"),
        *sysconfig.get_paths().values(),
        sys.base_prefix,
        "/proc/",  # prometheus_client looks up the size of a page and the limits of this process
    )
    read = [name for event, name in loaded["seen"] if event == "open" and not name.startswith(code)]
    assert read == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["--help"], ["serve", "--help"], ["diagnose", "--help"], ["demo", "--help"], ["doctor", "--help"]]
)
def test_help_loads_neither_process(arguments: list[str], tmp_path: Path) -> None:
    program = f"""
import sys
sys.argv = ["selfheal", *{arguments!r}]
from app.cli import main
try:
    main()
except SystemExit as ended:
    assert ended.code == 0
print(sorted(set(sys.modules) & set({sorted(PROCESSES | SLOW)!r})))
"""
    output = printed(program, tmp_path)
    assert "Usage" in output
    assert output.endswith("[]\n")
