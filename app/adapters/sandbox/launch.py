"""Becomes an ordinary user with limits, then the command: `python launch.py LIMITS COMMAND ...`.

A process of its own, because limits and user ids cannot be set safely between fork and exec of a program
with threads. RLIMIT_NPROC does not bind root, hence the change of user comes first.
"""

import json
import os
import resource
import shutil
import sys


def main() -> None:
    limits = json.loads(sys.argv[1])
    # Found while this process may still read its own library, which the user it becomes may not.
    command = shutil.which(sys.argv[2]) or sys.argv[2]
    if limits["uid"] is not None:
        os.setgroups([])
        os.setresgid(limits["uid"], limits["uid"], limits["uid"])
        os.setresuid(limits["uid"], limits["uid"], limits["uid"])
    for name, value in (
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_CPU, limits["cpu"]),
        (resource.RLIMIT_CORE, 0),
    ):
        if value is not None:
            resource.setrlimit(name, (value, value))
    os.execv(command, sys.argv[2:])  # noqa: S606 - argv, no shell; the caller chose it


if __name__ == "__main__":
    main()
