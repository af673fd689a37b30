"""Routes: paths with places for values, and how well one fits the path of a request."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

WILD = re.compile(r"^(?:<[^>]*>|\{[^}]*\}|:\w.*|\*.*|\(.*\)|\[[^\]]*\])$")
"""A segment that stands for any value, as frameworks write it."""
METHOD = re.compile(r"^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) +(?=/)")
LITERAL, VALUE, TO_THE_END, FROM_THE_START = 6, 4, 3, 2


class Handler(NamedTuple):
    """What answers a route: a function by its name, or the lines where it is written."""

    name: str | None = None
    owner: str = ""
    """The class or module that it is in, where the registration says so."""
    lines: tuple[int, int] | None = None


class Route(NamedTuple):
    """One registration."""

    path: str
    handler: Handler


def segments(route: str) -> tuple[str, ...]:
    """The parts of a path between slashes, without its query, a method before it and the marks of a pattern."""
    plain = METHOD.sub("", route).partition("?")[0].removeprefix("^").removesuffix("$")
    return tuple(part for part in plain.split("/") if part)


def joined(prefixes: Iterable[str], route: str) -> tuple[str, ...]:
    """The route below each of the prefixes; as it is where there are none."""
    found = tuple(f"/{prefix.strip('/')}/{route.strip('/')}" for prefix in prefixes)
    return found or (route,)


def agreement(path: str, route: str) -> int:
    """How well a route fits a path; 0 where it does not.

    It may be shorter and fit the beginning, as a tree of folders is served, or the end, as where something unseen
    mounts it below a prefix. A route that names nothing fits nothing.
    """
    wanted, given = segments(route), segments(path)
    if not wanted or len(wanted) > len(given):
        return 0
    literal = sum(not WILD.match(one) for one in wanted)
    if not literal:
        return 0
    worth = LITERAL * literal + VALUE * (len(wanted) - literal)
    if _fits(wanted, given):
        is_named = not WILD.match(wanted[0])
        ends = TO_THE_END if len(wanted) == len(given) else 0
        return worth + FROM_THE_START + ends if is_named or ends else 0
    return worth + TO_THE_END if _fits(wanted, given[len(given) - len(wanted) :]) else 0


def _fits(wanted: Sequence[str], given: Sequence[str]) -> bool:
    return all(WILD.match(one) or one.lower() == other.lower() for one, other in zip(wanted, given, strict=False))
