"""What the inside of the sandbox sees: the `bwrap` command line, and the files of a pod's volumes.

An allow-list: the system's folders, the few files of /etc that programs read, the working tree, and a private
/tmp, /dev and /proc; an environment built from nothing; namespaces of its own, with only their own loopback.
"""

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

HERE = Path(__file__).resolve().parent
INSIDE = "/work"
DRIVER = "/selfheal/driver.py"
ETC = (
    "alternatives",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "protocols",
    "services",
    "ssl/openssl.cnf",
)
"""The files of /etc that ordinary programs read; none of them is private to a machine."""
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/go/bin"
"""The last is where Go's own archive is unpacked to."""
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
PRIVATE = ("/proc", "/dev", "/sys", "/tmp", INSIDE, "/selfheal")  # noqa: S108 - private inside the sandbox
TMP_BYTES, SHM_BYTES = 512 * 1024 * 1024, 64 * 1024 * 1024
"""What may lie in /tmp and /dev/shm: both are memory of this machine."""


def command(tree: str, mounts: Mapping[str, str], environment: Mapping[str, str]) -> list[str]:
    """The command line that runs what is appended to it in `tree`. `mounts` maps folders inside to folders here."""
    words = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    words += ["--hostname", "sandbox", *_no_namespaces_inside()]
    for folder in SYSTEM:
        path = Path(folder)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), folder]
        elif path.is_dir():
            words += ["--ro-bind", folder, folder]
    tools = toolchain()
    if tools is not None:
        words += ["--ro-bind", str(tools), str(tools)]
    for name in ETC:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    words += ["--proc", "/proc", "--dev", "/dev"]
    words += [*_size(SHM_BYTES), "--tmpfs", "/dev/shm", *_size(TMP_BYTES), "--tmpfs", "/tmp"]  # noqa: S108
    words += ["--bind", tree, INSIDE]
    for inside, outside in mounts.items():
        words += ["--ro-bind", outside, inside]
    words += ["--remount-ro", "/dev", "--remount-ro", "/"]  # they are memory too, and have no limit
    for name, value in environment.items():
        words += ["--setenv", name, value]
    return [*words, "--chdir", INSIDE, "--"]


def bare_environment() -> dict[str, str]:
    """What a command finds whatever it is given: nothing of the service's own."""
    tools = toolchain()
    return {
        "PATH": PATH if tools is None else f"{PATH}:{tools}/bin",
        "HOME": "/tmp",  # noqa: S108 - private inside the sandbox
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def toolchain() -> Path | None:
    """The interpreter's own folder where the system has no Python; never the service's virtual environment."""
    return None if shutil.which("python3", path=PATH) else Path(sys.base_prefix)


def refuse_files(paths: Iterable[str]) -> str | None:
    """Why files cannot be shown at these absolute paths inside, if so: the sandbox needs the place itself."""
    pures = [PurePosixPath(f"/{path.lstrip('/')}") for path in paths]
    needed = [PurePosixPath(place) for place in (*SYSTEM, *PRIVATE, *(f"/etc/{name}" for name in ETC))]
    for path, pure in zip(paths, pures, strict=True):
        taken = any(pure.is_relative_to(place) or place.is_relative_to(pure.parent) for place in needed)
        if not path.startswith("/") or ".." in pure.parts or "\0" in path or taken:
            return f"the sandbox cannot show a file at {path!r}"
        if any(pure in other.parents for other in pures):
            return f"the sandbox cannot show both a file and a folder at {path!r}"
    return None


@contextlib.contextmanager
def written(files: Mapping[str, str], uid: int | None) -> Iterator[dict[str, str]]:
    """Write `files` below a private folder, one subfolder per mount point; yields inside -> outside.

    A folder within another one's folder is no mount point of its own: nothing can be mounted in what is read-only.
    """
    texts = {PurePosixPath(f"/{path.lstrip('/')}"): text for path, text in files.items()}
    folders = {path.parent for path in texts}
    tops = sorted(folder for folder in folders if not any(above in folders for above in folder.parents))
    with tempfile.TemporaryDirectory(prefix="selfheal-files-") as root:
        mounts = {top: Path(root) / str(at) for at, top in enumerate(tops)}
        for path, text in texts.items():
            top = next(top for top in tops if path.is_relative_to(top))
            outside = mounts[top] / path.relative_to(top)
            outside.parent.mkdir(parents=True, exist_ok=True)
            outside.write_text(text, encoding="utf-8")
        if uid is not None:
            for place in (Path(root), *Path(root).rglob("*")):
                os.chown(place, uid, uid)
        yield {str(inside): str(outside) for inside, outside in mounts.items()}


def _size(size: int) -> list[str]:
    return ["--size", str(size)] if "--size" in _options() else []


def _no_namespaces_inside() -> list[str]:
    """A user namespace of one's own opens much of the kernel; older versions cannot close it."""
    return ["--unshare-user", "--disable-userns"] if "--disable-userns" in _options() else []


@functools.cache
def _options() -> str:
    """What the installed version can do, by its own words."""
    return subprocess.run(["bwrap", "--help"], capture_output=True, text=True, check=False).stdout  # noqa: S607
