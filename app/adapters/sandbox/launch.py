"""Becomes an ordinary user with limits, then the command: `python launch.py LIMITS COMMAND ...`.

A process of its own, because limits and user ids cannot be set safely between fork and exec of a program
with threads. RLIMIT_NPROC does not bind root, hence the change of user comes first.
"""

import json
import os
import resource
import shutil
import sys
import time

FAILED = 126
"""The exit code for a command that cannot be started."""
TRIES = 5


def main() -> None:
    try:
        _launch()
    except (OSError, ValueError, OverflowError) as error:  # nobody may take this for the command's own end
        sys.stderr.write(f"launch: cannot prepare {sys.argv[2]}: {error}\n")
        sys.exit(FAILED)


def _launch() -> None:
    limits = json.loads(sys.argv[1])
    # Found while this process may still read its own library, which the user it becomes may not.
    command = shutil.which(sys.argv[2]) or sys.argv[2]
    if limits["uid"] is not None:
        os.setgroups([])
        os.setresgid(limits["uid"], limits["uid"], limits["uid"])
        os.setresuid(limits["uid"], limits["uid"], limits["uid"])
    processes = limits["processes"]
    for name, value in (
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_NPROC, None if processes is None else processes + _running()),
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_CPU, limits["cpu"]),
        (resource.RLIMIT_CORE, 0),
    ):
        if value is not None:
            _, most = resource.getrlimit(name)
            limit = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.setrlimit(name, (limit, limit))
    try:
        os.execv(command, sys.argv[2:])  # noqa: S606 - argv, no shell; the caller chose it
    except OSError as error:
        sys.stderr.write(f"launch: cannot start {sys.argv[2]}: {error.strerror}\n")
        sys.exit(FAILED)


def _running() -> int:
    """Threads that this user runs already: the kernel counts them all, whatever started them."""
    count = 0
    for name in _processes():
        if name.isdecimal():
            try:
                if os.stat(f"/proc/{name}").st_uid == os.getuid():  # noqa: PTH116 - see above
                    count += len(os.listdir(f"/proc/{name}/task"))  # noqa: PTH208 - see above
            except OSError:
                continue
    return count


def _processes() -> list[str]:
    """What lies in /proc, which a busy machine refuses to list at times."""
    for _ in range(TRIES):
        try:
            return os.listdir("/proc")  # noqa: PTH208 - pathlib is not worth its start-up time here
        except PermissionError:
            time.sleep(0.05)
    return os.listdir("/proc")  # noqa: PTH208 - see above


if __name__ == "__main__":
    main()
