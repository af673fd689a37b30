"""The nouns of suspicion: a suspect, the reasons there are, and how much each kind of reason weighs.

The weights order kinds of evidence, nothing finer: the failing line itself, a name the error misses and a change took
away, the package whose code failed, the statement that wrote the message, the failing function, what the failing line
uses, a name the error mentions, the file.
"""

import builtins
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from agents.frames import Frame

Kind = Literal[
    "line",
    "missing",
    "package",
    "logged",
    "decides",
    "assigned",
    "function",
    "used",
    "feeds",
    "named",
    "reached",
    "shares",
    "file",
    "mentioned",
]
WEIGHTS: Mapping[Kind, float] = {
    "line": 10.0,
    "missing": 9.0,
    "package": 7.0,
    "logged": 7.0,
    "decides": 8.0,
    "assigned": 7.0,
    "function": 6.0,
    "used": 4.0,
    "feeds": 2.4,
    "named": 3.0,
    "reached": 2.75,
    "shares": 1.9,
    "file": 2.0,
    "mentioned": 1.5,
}
DIRECT: frozenset[Kind] = frozenset({"line", "missing", "package", "decides", "assigned"})
"""Kinds of evidence that a change did something to what failed."""
SURE = 6.0
"""A suspect of this score touched the failing function or line, or took away what the error misses."""
WORTH_NAMING = 2.5
"""Below this score a commit is not named: sharing a file with the failure explains nothing."""
OUTER = 0.75
"""Each call further out counts this much of the one inside it."""
ON_THE_WAY = 0.85
"""The same for a line that is itself on the way to the failure."""
BESIDES = 0.25
"""What another kind of evidence for the same hunk counts, and another hunk for the same commit."""
UNLIKELY = 0.1
"""What remains for a change of tests, of what builds them, and of what is only shipped beside the program."""

TEST_PATH = re.compile(
    r"(?:^|/)(?:tests?|testing|specs?|__tests__|__mocks__|testdata|fixtures?|e2e|cypress)(?:/|_|\.)"
    r"|(?:^|/)test_|_test\.|_spec\.|\.(?:test|spec|stories)\.[cm]?[jt]sx?$|conftest\.py$|(?:Tests?|IT|Spec)\.(?:java|kt|cs|php)$"
    r"|(?:^|/)\.(?:github|gitlab|circleci|husky)/|(?:^|/)(?:Jenkinsfile|\.gitlab-ci\.yml|\.travis\.yml)$"
)
BESIDE_PATH = re.compile(
    r"(?:^|/)(?:demos?|examples?|samples?|docs?|benchmarks?|bench)/|(?:^|/)(?:setup|noxfile|tasks|docs/conf)\.py$"
)
"""What is shipped beside a program and does not run with it."""
PROSE = re.compile(
    r"\.(?:md|mdx|rst|txt|adoc|svg|png|snap)$|(?:^|/)(?:CHANGELOG|README|LICENSE|AUTHORS|CODEOWNERS)", re.IGNORECASE
)
_SCRIPT = """
Array ArrayList Boolean Date Error Exception Function HashMap Integer Json List Logger Long Map Math Number
Object Optional Override Promise RuntimeException Set String StringBuilder System Test Thread addAll app append
apply args assert base bind charAt client clone close collect command concat config console constructor contains
context controller count create created ctx data default delete describe each equals error errors event exec
execute exists exports factory field filter final find first flatMap fmt foreach format freeze full func future
handle handler hash hashCode head header headers helper http index info init input instance isEmpty item items
join json keys last length level lines list load log logger main manager maps match message messages model
module name names new next node nullptr options opts output params parent parse parseInt path ping plugin pop
present print printf println process props prototype provider push put query reader record reduce remove render
replace req request require res resolve response result results root router run save select self send server
service session settings setup size slice sort source splice split start state status stdout step stop store
stream stringify sub substring sum target task text then this time timeout toArray toList toString token trim
type types unwrap update url user util utils validate value valueOf values version view warn warning with work
wrapper write writer
"""
EVERYWHERE = frozenset({"NoneType", "function", "method", "module", "self", "cls", "null", "undefined", "nil"}).union(
    dir(builtins), _SCRIPT.split(), *(dir(kind) for kind in (str, bytes, int, float, list, dict, set, tuple))
)
"""Names that say nothing about a change: built-in ones, and what every program has."""
_SAID_EVERYWHERE = frozenset(name.lower() for name in EVERYWHERE)


def says_little(name: str) -> bool:
    """Whether a name is one that every program has, however it is spelled there; a constant's never is."""
    if name.startswith("__") and name.endswith("__"):
        return True
    return name.lower() in _SAID_EVERYWHERE and not (name.isupper() and len(name) > 3)


class Suspect(BaseModel):
    """A place in a change that may have caused the failure. `line` counts at the canary's commit."""

    model_config = ConfigDict(frozen=True)

    file: str
    line: int | None
    function: str | None
    commit: str
    score: float
    why: str
    repository: Literal["source", "manifests"] = "source"
    is_direct: bool = False
    """Whether the change did something to what failed, and not only to what is around it."""


class Reason(NamedTuple):
    """One kind of evidence against a hunk; `frame` is the call it is about."""

    kind: Kind
    weight: float
    why: str
    frame: Frame | None = None
