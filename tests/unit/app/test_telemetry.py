import json
import subprocess
import sys
from typing import Any

import pytest

SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
PRELUDE = f"""
import asyncio, logging, pathlib, warnings
import structlog
from app import telemetry
telemetry.configure("info")
log = structlog.get_logger("ours")
secret = "{SECRET}"
presented = "a token without any shape"
"""


def lines_of(program: str) -> list[dict[str, Any]]:
    """What a program leaves on standard error, each line as JSON; standard output must stay empty."""
    ended = subprocess.run(
        [sys.executable, "-c", PRELUDE + program], capture_output=True, text=True, timeout=30, check=True
    )
    assert ended.stdout == ""
    assert SECRET not in ended.stderr
    assert "without any shape" not in ended.stderr
    return [json.loads(line) for line in ended.stderr.splitlines()]


def test_a_line_is_one_json_object_with_its_level_and_time() -> None:
    (line,) = lines_of(
        'log.info("sealed", attempt="abc-1", items=3, path=pathlib.Path("/x"), text="two\\nlines \\ud800")'
    )
    assert line["event"] == "sealed"
    assert (line["level"], line["attempt"], line["items"]) == ("info", "abc-1", 3)
    assert line["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_not_logged() -> None:
    assert lines_of('log.debug("x"); logging.getLogger("uvicorn.error").info("y")') == []


FAIL = """
def check(presented):
    raise ValueError(f"cannot push with {secret}")
"""


@pytest.mark.parametrize(
    "statement",
    [
        'log.exception("failed", attempt="abc-1")',
        'logging.getLogger("uvicorn.error").exception("failed")',
        'logging.getLogger("uvicorn.error").error("failed %s", secret, exc_info=True)',
    ],
)
def test_a_traceback_is_part_of_its_line_without_the_variables_of_its_frames(statement: str) -> None:
    (line,) = lines_of(f"{FAIL}\ntry:\n    check(presented)\nexcept ValueError:\n    {statement}\n")
    (exception,) = line["exception"]
    assert exception["exc_type"] == "ValueError"
    assert "cannot push with [REDACTED" in exception["exc_value"]
    assert [frame["name"] for frame in exception["frames"]] == ["<module>", "check"]


@pytest.mark.parametrize(
    "statement",
    [
        'log.info("x", token=secret)',
        'log.info(f"pushing with {secret}")',
        'log.info("x", nested={"list": [{"deep": secret}]})',
        'logging.getLogger("dbos").warning("x %s", secret)',
        'warnings.warn(f"x {secret}")',
        'log.info("x", password=presented)',
        'log.info("x", password=presented.encode(), thing=Exception(secret))',
    ],
)
def test_no_secret_is_in_any_line(statement: str) -> None:
    (line,) = lines_of(statement)
    assert "REDACTED" in json.dumps(line)


def test_a_task_that_fails_unheard_is_one_line_too() -> None:
    program = """
async def main():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
asyncio.run(main())
"""
    (line,) = lines_of(program)
    assert line["exception"][0]["exc_type"] == "ZeroDivisionError"
