"""The packages whose version a change of a manifest or a lock file raises, lowers, adds or takes away.

Read from the changed lines of the file alone, with the line above where that is what names the package.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from agents.changes.hunks import Hunk
from agents.changes.own_version import own_versions

VERSION = re.compile(r"\d[\w.+!-]*|\*|latest|workspace:\S*|[\^~<>=!].*")
REQUIREMENT = re.compile(
    r"^\s*[\"']?([A-Za-z][\w.-]*)(?:\[[^\]]*\])?\s*((?:[=<>~!^]=?=?|@)\s*[^\s;\"',#]+[^;\"'#]*)[\"']?,?"
)
TABLE = re.compile(r"^\s*[\"']?((?:@[\w.-]+/)?[\w./-]+)[\"']?\s*[:=]\s*(?:\{.*?\bversion\s*=\s*)?[\"']([^\"']*)[\"']")
HEAD = re.compile(
    r"^\s*(?:name\s*=\s*\"([^\"]+)\"|\"name\":\s*\"([^\"]+)\"|\"(?:.*node_modules/)?((?:@[^/\"]+/)?[^/\"]+)\":\s*\{"
    r"|\"?((?:@[^/@\"]+/)?[^/@\s\"]+)@[^:]*:|<artifactId>([^<]+)</artifactId>)"
)
WHOLE = re.compile(r"^[^\"]*\"name\":\s*\"([^\"]+)\",.{0,200}?\"version\":\s*\"v?([^\"]+)\"")
BELOW = re.compile(r"^\s*(?:\"?version\"?\s*[:=]?\s*\"?v?([^\"\s,]+)\"?,?|<version>([^<]+)</version>)\s*$")
GO = re.compile(r"^\s*(?:require\s+)?([\w.-]+\.[\w.-]+(?:/[\w.~-]+)+)\s+(v[^\s/]+)(?:\s|$)")
GEM = re.compile(r"^\s*gem\s*\(?[\"']([^\"']+)[\"'](?:\s*,\s*[\"']([^\"']+)[\"'])?")
LOCKED_GEM = re.compile(r"^ {4}([\w.-]+) \(([^)]+)\)$")
GRADLE = re.compile(r"[\"']([\w.-]+):([\w.-]+):([\w.+-]+)[\"']")
PROPERTY = re.compile(r"^\s*<([\w.-]+?)[.-]version>([^<]+)</")
REFERENCE = re.compile(r"<Package(?:Reference|Version)\s+(?:Include|Update)=\"([^\"]+)\"[^>]*\bVersion=\"([^\"]+)\"")
PNPM = re.compile(r"^\s*['\"]?/?((?:@[^/@]+/)?[^/@'\"\s]+)[@/](\d[^:'\"()]*)")
NOT_PACKAGES = frozenset(
    {"version", "name", "python", "node", "license", "description", "requires-python", "main", "type", "edition", "go"}
    | {"homepage", "integrity", "resolved", "checksum", "source", "url", "hash", "revision", "types", "module"}
)
OWN = re.compile(
    r"^(?:ext\.)?(?:(?:app|project|release|service|java|jdk)|(?:app|project|release)?[._-]?version(?:name|code)?)$",
    re.IGNORECASE,
)
"""Properties that give a version to the project itself, or to what it is compiled with."""
CALLED = {
    "beautifulsoup4": "bs4",
    "djangorestframework": "rest_framework",
    "opencv-python": "cv2",
    "pillow": "pil",
    "protobuf": "google",
    "psycopg2-binary": "psycopg2",
    "scikit-learn": "sklearn",
    "setuptools": "pkg_resources",
}
"""Packages whose code is called otherwise than any custom would tell."""


class Bump(BaseModel):
    """A package whose version differs; None where it is not there on that side."""

    model_config = ConfigDict(frozen=True)

    package: str
    old: str | None
    new: str | None


FILES: Sequence[tuple[re.Pattern[str], tuple[re.Pattern[str], ...], bool]] = (
    (
        re.compile(r"(?:^|/)(?:requirements|constraints)[^/]*\.(?:txt|in)$|(?:^|/)setup\.(?:py|cfg)$"),
        (REQUIREMENT,),
        False,
    ),
    (re.compile(r"(?:^|/)(?:pyproject\.toml|Pipfile)$"), (TABLE, REQUIREMENT), False),
    (
        re.compile(
            r"(?:^|/)(?:poetry|uv|Cargo|composer|package|yarn)[.-]lock(?:\.json)?$|(?:^|/)npm-shrinkwrap\.json$"
        ),
        (),
        True,
    ),
    (re.compile(r"(?:^|/)pnpm-lock\.yaml$"), (PNPM,), False),
    (re.compile(r"(?:^|/)(?:package|composer)\.json$|(?:^|/)Cargo\.toml$|\.versions\.toml$"), (TABLE,), False),
    (re.compile(r"(?:^|/)go\.mod$"), (GO,), False),
    (re.compile(r"(?:^|/)pom\.xml$"), (PROPERTY,), True),
    (re.compile(r"\.gradle(?:\.kts)?$|(?:^|/)gradle\.properties$"), (GRADLE, TABLE), False),
    (re.compile(r"(?:^|/)Gemfile$|\.gemspec$"), (GEM,), False),
    (re.compile(r"(?:^|/)Gemfile\.lock$"), (LOCKED_GEM,), False),
    (re.compile(r"\.csproj$|\.fsproj$|(?:^|/)(?:Directory\.)?[Pp]ackages\.(?:props|config)$"), (REFERENCE,), False),
)
"""Which files name packages, by which patterns of a line, and whether a version may stand below its package's name."""


def names_packages(path: str) -> bool:
    """Whether a file is a manifest or a lock file of packages."""
    return any(pattern.search(path) for pattern, _, _ in FILES)


def bumps_of(hunk: Hunk) -> tuple[Bump, ...]:
    """The packages whose version a hunk changes; empty for a file that names none."""
    for pattern, lines, is_headed in FILES:
        if pattern.search(hunk.file):
            own = own_versions(hunk)
            old = dict(_versions([line.text for line in hunk.removed], lines, is_headed, hunk.above, own))
            new = dict(_versions([line.text for line in hunk.added], lines, is_headed, hunk.above, own))
            return _differing(old, new)
    return ()


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Bump, ...]:
    return tuple(
        Bump(package=name, old=old.get(name), new=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _versions(
    lines: Sequence[str],
    patterns: tuple[re.Pattern[str], ...],
    is_headed: bool,  # noqa: FBT001 - a column of the table
    above: Sequence[str],
    own: frozenset[str],
) -> Iterator[tuple[str, str]]:
    heads = [name for line in above if (name := _head(line))]
    named = heads[0] if len(heads) == 1 or (heads and len(lines) == 1) else None
    pending = list(heads)
    for line in lines:
        if is_headed:
            whole = WHOLE.match(line)
            if whole is not None:
                yield whole[1], whole[2]
                continue
            name = _head(line)
            if name is not None:
                named = name
                continue
            below = BELOW.match(line)
            if below is not None:
                owner = named if named is not None else pending.pop(0) if pending else None
                if owner is not None and line not in own:
                    yield owner, below[1] or below[2]
        for pattern in patterns:
            found = pattern.search(line)
            if found is not None:
                name, version = (found[2], found[3]) if pattern is GRADLE else (found[1], found[2] or "*")
                if name.lower() not in NOT_PACKAGES and not OWN.search(name) and VERSION.search(version):
                    yield name, version.strip().rstrip(",")
                break


def _head(line: str) -> str | None:
    found = HEAD.match(line)
    name = next((name for name in found.groups() if name), None) if found else None
    return name if name not in {"dependencies", "devDependencies", "packages", "requires", ""} else None


def comes_from(package: str, code: str) -> bool:
    """Whether code that is called `code` where it is installed (a folder, a module, a class) is of a package.

    The two names differ by custom: `python-dateutil` is `dateutil`, `com.fasterxml.jackson.core:jackson-databind` holds
    `com.fasterxml.jackson.databind`.
    """
    one, other = _plain(package), _plain(code)
    if one == other:
        return True
    if "/" in package and "." in package.partition("/")[0]:  # a Go module
        return code == package or code.startswith((f"{package}/", f"{package}."))
    if "." in code:
        parts = set(re.split(r"[.:/]", code.lower()))
        words = [
            word for word in re.split(r"[-.:/]", package.lower()) if word not in {"core", "api", "java", "com", "org"}
        ]
        known = all(any(part.startswith(word) for part in parts) for word in words)
        return code.lower().startswith(f"{package.lower()}.") or (bool(words) and known)
    return CALLED.get(package.lower()) == code.lower()


def _plain(name: str) -> str:
    """A package's name without what differs by custom: case, dashes, `python-`, `py`."""
    plain = name.lower().replace("-", "_").replace(".", "_")
    for affix in ("python_", "types_"):
        plain = plain.removeprefix(affix)
    return plain.removesuffix("_python").removeprefix("py") if len(plain) > 5 else plain
