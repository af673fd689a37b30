"""From the handlers of a route on to what they use, by name, nearest first."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from agents.reach.annotated import annotated
from agents.reach.called import called
from agents.reach.mounted import mounts
from agents.reach.routes import Handler, agreement, joined
from agents.reach.trees import Node, is_name, parse, text_of, walk
from agents.syntax import functions

DEEPEST = 5
MOST_NAMESAKES = 3


class Reached(BaseModel):
    """What the request may run, and how many calls lie between it and the route's handler."""

    model_config = ConfigDict(frozen=True)

    file: str
    function: str | None
    """None for a function that is written where the route is registered."""
    first_line: int
    last_line: int
    depth: int


class _File:
    """A file's functions, and the names that its lines use."""

    def __init__(self, file: str, text: str, root: Node) -> None:
        self.functions = functions(file, text)
        used = [(node.start_point.row + 1, text_of(node)) for node in walk(root) if is_name(node)]
        self._rows = [row for row, _ in used]
        self._names = [name for _, name in used]

    def uses(self, first: int, last: int) -> set[str]:
        """The names in these lines."""
        return set(self._names[bisect_left(self._rows, first) : bisect_left(self._rows, last + 1)])


def reached_by(path: str, texts: Mapping[str, str]) -> tuple[Reached, ...]:
    """The functions behind a request path, nearest first; `texts` are the source files of the repository."""
    trees = {file: (text, root) for file, text in texts.items() if (root := parse(file, text)) is not None}
    prefixes = mounts(trees)
    files: dict[str, _File] = {}
    named: dict[str, list[Reached]] = defaultdict(list)
    answering: dict[tuple[str, Handler], int] = {}
    for file, (text, root) in trees.items():
        files[file] = _File(file, text, root)
        for one in files[file].functions:
            place = Reached(file=file, function=one.name, first_line=one.first_line, last_line=one.last_line, depth=0)
            named[one.name].append(place)
        for route in (*annotated(root), *called(root)):
            below = joined(prefixes.get(file, ()), route.path)
            fits = max(agreement(path, each) for each in (route.path, *below))
            if fits:
                answering[file, route.handler] = max(fits, answering.get((file, route.handler), 0))
    best = max(answering.values(), default=0)
    handlers = [place for place, fits in answering.items() if fits == best]
    first = [one for file, handler in handlers for one in _resolved(file, handler, named, files)]
    return tuple(_follow(first, named, files))


def _resolved(
    file: str, handler: Handler, named: Mapping[str, list[Reached]], files: Mapping[str, _File]
) -> Iterable[Reached]:
    """The functions that a handler is: exactly these lines, those of the class it names, or all of its name."""
    if handler.lines is not None:
        first, last = handler.lines
        inside = [one for one in named.get(handler.name or "", []) if one.file == file and one.last_line == last]
        yield from inside or [Reached(file=file, function=None, first_line=first, last_line=last, depth=0)]
        return
    namesakes = named.get(handler.name or "", [])
    owner = _plain(handler.owner)
    own = [one for one in namesakes if owner and _plain(_around(one, files[one.file])) == owner]
    own = own or [one for one in namesakes if owner and _plain(_stem(one.file)) == owner]
    yield from own or (namesakes if len(namesakes) <= MOST_NAMESAKES else ())


def _around(one: Reached, file: _File) -> str:
    """The class that a function is in."""
    places = (each for each in file.functions if (each.name, each.first_line) == (one.function, one.first_line))
    return next((each.within.rpartition(".")[2] for each in places), "")


def _stem(file: str) -> str:
    return file.rpartition("/")[2].partition(".")[0]


def _plain(name: str) -> str:
    """A name however it is spelled: in a file's, a class's or a variable's way."""
    return name.replace("_", "").replace("-", "").lower()


def _follow(first: Iterable[Reached], named: Mapping[str, list[Reached]], files: Mapping[str, _File]) -> list[Reached]:
    found: dict[tuple[str, str | None, int], Reached] = {}
    wanted = list(first)
    for depth in range(DEEPEST + 1):
        uses: set[str] = set()
        for one in wanted:
            if (one.file, one.function, one.first_line) not in found:
                found[one.file, one.function, one.first_line] = one.model_copy(update={"depth": depth})
                uses |= files[one.file].uses(one.first_line, one.last_line) - {one.function}
        wanted = [
            one for name in sorted(uses) if len(namesakes := named.get(name, [])) <= MOST_NAMESAKES for one in namesakes
        ]
    return list(found.values())
