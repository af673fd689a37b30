"""A fix that only silences the failure is none: errors caught and ignored, tests taken away, limits raised at will.

Compared with what stood there before and with what the stable version has: what brings the stable version's text back
silences nothing that was not silent when all was well.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import tree_sitter

from agents.patch import FileChange, Patch
from agents.policy.diffs import TEST
from agents.policy.terms import Background
from agents.syntax.languages import grammar, language_of

MOST_BYTES = 1_000_000
HANDLERS = frozenset({"except_clause", "except_group_clause", "catch_clause", "catch_block", "rescue"})
IDLE = frozenset(
    {"pass_statement", "continue_statement", "break_statement", "comment", "line_comment", "block_comment"}
)
BODIES = frozenset({"block", "statement_block", "compound_statement", "then", "statements"})
RETURNS = re.compile(
    r"return\s*(?:None|null|nil|undefined|true|false|True|False|\d+|\"\"|''|\[\]|\{\}|\(\))?\s*;?", re.ASCII
)
LOGS = re.compile(
    r"(?:await\s+)?(?:[\w$.]*\b)?(?:log|logger|logging|console|print|println|puts|warn|warning|debug|info|error|trace"
    r"|exception|Log|Logger|_logger|slog)\b[\w.]*\s*\([^{}]*\)\s*;?|\.\.\.|nil|null|None",
    re.ASCII,
)
IGNORED = {
    ".go": re.compile(r"\brecover\s*\(\s*\)|^\s*_\s*(?:,\s*_\s*)*=\s*[\w.]+\(", re.MULTILINE),
    ".rs": re.compile(r"^\s*let\s+_\s*=|\.ok\(\)\s*;|\bcatch_unwind\b", re.MULTILINE),
    ".rb": re.compile(r"\brescue\s+(?:nil|false|\[\]|\{\}|0|'')", re.MULTILINE),
    ".php": re.compile(r"(?<![\w@])@\$?\w+\s*\("),
}
"""Where the language has other ways of letting an error go than a handler that does nothing."""
ASSERTION = re.compile(r"\b(?:assert\w*|expect|require|should\w*|verify|t\.(?:Error|Fatal)\w*)\b")
TEST_CASE = re.compile(
    r"^\s*(?:async\s+)?def\s+test\w*|^func\s+Test\w+|@(?:Parameterized)?Test\b|^\s*(?:it|test)\s*\(|#\[test\]|\[(?:Fact|Test)\]",
    re.MULTILINE,
)
SKIP = re.compile(
    r"\bskip(?:If|Unless|if|Test)?\b|\bxfail\b|\bt\.Skip\w*|@Disabled|@Ignore\b|#\[ignore|\b(?:xit|xdescribe|xtest)\s*\(|\.only\s*\("
)
LIMIT = re.compile(
    r"\b(?P<name>\w*(?:timeout|retries|retry|attempts|limit|threshold|memory|cpu|max_?\w+|deadline)\w*)[\"']?\s*[:=]\s*"
    r"[\"']?(?P<value>\d+(?:\.\d+)?)(?P<unit>[kKmMGTP]i?|ms|s)?\b",
    re.IGNORECASE,
)
SCALES = {"m": 1e-3, "ms": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
BINARY = {"Ki": 1024.0, "ki": 1024.0, "Mi": 1024.0**2, "Gi": 1024.0**3, "Ti": 1024.0**4, "Pi": 1024.0**5}
"""What the units of Kubernetes stand for: `128Mi` of memory, `250m` of a core."""


def refuse_silencing(patch: Patch, background: Background) -> Iterable[str]:
    """Why a diff only silences; empty where it does not. A raised limit must be named by the evidence."""
    grounds = background.grounds
    for change in patch.changes:
        was = background.stable.get(change.path, change.before)
        yield from _ignored_errors(change, was)
        if TEST.search(change.path):
            yield from _weaker_tests(change, was)
        yield from _raised_limits(change, was, grounds)


def _ignored_errors(change: FileChange, was: str | None) -> Iterator[str]:
    if change.after is None:
        return
    allowed = max(_ignoring(change.path, text) for text in (change.before, was))
    if _ignoring(change.path, change.after) > allowed:
        yield f"`{change.path}` would catch an error and ignore it, which only silences the failure"


def _ignoring(path: str, text: str | None) -> int:
    """How many places of a file let an error go."""
    if not text:
        return 0
    own = IGNORED.get(path[path.rfind(".") :]) if "." in path else None
    return sum(1 for _ in _idle_handlers(path, text)) + (len(own.findall(text)) if own else 0)


def _idle_handlers(path: str, text: str) -> Iterator[tree_sitter.Node]:
    language = language_of(path)
    raw = text.encode("utf-8", "replace")
    if language is None or len(raw) > MOST_BYTES:
        return
    stack = [tree_sitter.Parser(grammar(language.name)).parse(raw).root_node]
    while stack:
        node = stack.pop()
        if node.type in HANDLERS and node.is_named and all(_is_idle(one) for one in _statements(node)):
            yield node
        stack.extend(node.children)


def _statements(handler: tree_sitter.Node) -> list[tree_sitter.Node]:
    bodies = [child for child in handler.named_children if child.type in BODIES]
    inner = [one for body in bodies for one in body.named_children]
    while any(one.type in BODIES for one in inner):
        inner = [below for one in inner for below in (one.named_children if one.type in BODIES else [one])]
    return inner


def _is_idle(statement: tree_sitter.Node) -> bool:
    """Whether a statement does nothing about an error but telling of it."""
    if statement.type in IDLE:
        return True
    text = (statement.text or b"").decode("utf-8", "replace").strip()
    return bool(RETURNS.fullmatch(text) or LOGS.fullmatch(text))


def _weaker_tests(change: FileChange, was: str | None) -> Iterator[str]:
    after = change.after or ""
    for what, pattern in (("tests", TEST_CASE), ("assertions", ASSERTION)):
        least = min(len(pattern.findall(text or "")) for text in (change.before, was))
        if len(pattern.findall(after)) < least:
            yield f"`{change.path}` would have fewer {what}: tests are not weakened to pass"
            return
    most = max(len(SKIP.findall(text or "")) for text in (change.before, was))
    if len(SKIP.findall(after)) > most:
        yield f"`{change.path}` would skip a test: tests are not weakened to pass"


def _raised_limits(change: FileChange, was: str | None, grounds: str) -> Iterator[str]:
    if change.before is None or change.after is None:
        return
    before, after, stable = (_limits(text or "") for text in (change.before, change.after, was))
    for name, values in after.items():
        new = values - before.get(name, Counter()) - stable.get(name, Counter())
        gone = before.get(name, Counter()) - values
        if new and gone and max(new) > max(gone) and not _is_shown(name, grounds):
            yield f"`{change.path}` would raise {name}, which the evidence says nothing of"


def _limits(text: str) -> dict[str, Counter[float]]:
    found: dict[str, Counter[float]] = {}
    for match in LIMIT.finditer(text):
        scale = (SCALES | BINARY).get(match["unit"] or "", 1.0)
        found.setdefault(match["name"], Counter())[float(match["value"]) * scale] += 1
    return found


def _is_shown(name: str, grounds: str) -> bool:
    if name.lower() in grounds.lower():
        return True
    return name.lower().endswith("memory") and re.search(r"\bOOM|out of memory", grounds, re.IGNORECASE) is not None
