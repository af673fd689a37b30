"""Wheels of what is installed here, for an index of our own: real packages, and nothing is asked of the network."""

from importlib.metadata import distribution

from tests.package_indexes import PackageServer

PYTEST = ("iniconfig", "packaging", "pluggy", "pygments", "pytest")


def add_installed(index: PackageServer, *names: str) -> None:
    """Put these distributions into the index, each asking for the others that it needs."""
    for name in names:
        found = distribution(name)
        files = {
            str(path): path.read_text(encoding="utf-8")
            for path in found.files or ()
            if path.suffix in {".py", ".typed"} and path.parts[0] != ".."
        }
        needed = tuple(other for other in names if any(one.startswith(other) for one in found.requires or ()))
        index.add_wheel(name, found.version, files, needed)
