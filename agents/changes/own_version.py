"""Which version lines of a manifest or a lock file are the project's own, which says nothing of a dependency.

Told by the lines around, as far as the diff shows them: what an element stands in, where a package comes from.
"""

import re
from collections.abc import Iterator

from agents.changes.hunks import Hunk

INSIDE = re.compile(r"<(/?)(?:dependency|plugin|parent|extension|annotationProcessorPath|path)>")
OUTSIDE = re.compile(r"<(?:project|modelVersion|packaging|dependencies|dependencyManagement|properties)\b")
POM_VERSION = re.compile(r"^(\s*)<version>")
DEEPEST_OF_PROJECT = 4
"""Columns that the project's own version is indented by at most; a dependency's stands deeper."""
LOCAL_SOURCE = re.compile(r"^source = \{ (?:editable|virtual|directory) ")
LOCK_VERSION = re.compile(r"^\s*\"?version\"?\s*[=:]")
NPM_NAME = re.compile(r"^\s*\"name\":\s*\"")


def own_versions(hunk: Hunk) -> frozenset[str]:
    """The texts of the hunk's changed lines that give the project's own version."""
    name = hunk.file.rpartition("/")[2]
    if name == "pom.xml":
        return frozenset(_of_a_pom(hunk))
    if name in {"package-lock.json", "npm-shrinkwrap.json"}:
        return frozenset(_of_an_npm_lock(hunk))
    return frozenset(_of_a_lock(hunk, is_cargo=name == "Cargo.lock")) if name.endswith(".lock") else frozenset()


def _of_a_pom(hunk: Hunk) -> Iterator[str]:
    is_inside: bool | None = None
    for line in hunk.body:
        found, text = INSIDE.search(line), line[1:]
        if found is not None:
            is_inside = not found[1]
        elif OUTSIDE.search(line):
            is_inside = False
        version = POM_VERSION.match(text)
        if version is not None and line[0] != " ":
            depth = len(version[1].expandtabs(DEEPEST_OF_PROJECT))
            if is_inside is False or (is_inside is None and 0 < depth <= DEEPEST_OF_PROJECT):
                yield text


def _of_an_npm_lock(hunk: Hunk) -> Iterator[str]:
    """There only the project and its workspaces have a name beside the key that they stand under."""
    before = ""
    for line in hunk.body:
        if line[0] != " " and LOCK_VERSION.match(line[1:]):
            if NPM_NAME.match(before):
                yield line[1:]
        else:
            before = line[1:]


def _of_a_lock(hunk: Hunk, *, is_cargo: bool) -> Iterator[str]:
    """A package that comes from no registry is one of the project's own."""
    for at, line in enumerate(hunk.body):
        if line[0] == " " or not LOCK_VERSION.match(line[1:]):
            continue
        below = next((one[1:] for one in hunk.body[at + 1 :] if not LOCK_VERSION.match(one[1:])), None)
        if below is None:
            continue
        if LOCAL_SOURCE.match(below) or (is_cargo and not below.startswith(("source", "checksum"))):
            yield line[1:]
