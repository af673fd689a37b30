"""Who owns a file by a CODEOWNERS file, as GitHub reads it ("About code owners" in GitHub's documentation).

The file is the first of `PLACES` that there is, on the base branch. Of its lines the last that matches a path counts;
one that names nobody leaves the path without owners. The patterns are those of .gitignore without negation and
character ranges; a line that is not understood is passed over. Owners are accounts and teams: an e-mail address cannot
be asked for a review.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
MOST_SIZE = 3 * 1024 * 1024
"""GitHub does not load a larger file."""
ACCOUNT = re.compile(
    r"@([A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38}(?:_[A-Za-z0-9]{1,8})?(?:/[A-Za-z0-9._-]{1,100})?)"
)
"""`@account` or `@organisation/team`; accounts that a company manages end in an underscore and a short code."""
MAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
UNKNOWN_MARKUP = ("!", "[", "]")
"""What .gitignore would understand, and CODEOWNERS does not: the line has no effect."""
DEEP = "**"

Part = TypeVar("Part")


class Rule(NamedTuple):
    """One line: the pattern's folders and name, and who owns what it matches (`account`, `organisation/team`)."""

    parts: tuple[str, ...]
    owners: tuple[str, ...]


def owners_of(text: str, path: str) -> tuple[str, ...]:
    """The accounts and teams that own the file at `path`, without the `@`; none where nobody does."""
    return next((rule.owners for rule in reversed(_rules(text)) if _matches(rule.parts, path.split("/"))), ())


def _rules(text: str) -> list[Rule]:
    if len(text) > MOST_SIZE:
        return []
    return [rule for line in text.split("\n") if (rule := _rule(line)) is not None]


def _rule(line: str) -> Rule | None:
    """The rule of a line; None for an empty line, a comment, and a line with an error."""
    pattern, *named = _words(line)
    owners = [ACCOUNT.fullmatch(name) for name in named]
    errors = [name for name, owner in zip(named, owners, strict=True) if owner is None and not MAIL.fullmatch(name)]
    if not pattern.strip("/") or errors or pattern.startswith("!") or any(mark in pattern for mark in UNKNOWN_MARKUP):
        return None
    return Rule(_parts(pattern), tuple(owner[1] for owner in owners if owner is not None))


def _words(line: str) -> list[str]:
    """The words before a comment; a space after a backslash is one of the path's. One empty word if there are none."""
    words = []
    for raw in re.sub(r"\\\s", "\0", line).split():
        if raw.startswith("#"):
            break
        words.append(raw.replace("\0", " "))
    return words or [""]


def _parts(pattern: str) -> tuple[str, ...]:
    """The folders and the name of a pattern, with `**` where any folders may stand.

    A pattern with a slash before its end starts at the root, another one counts in every folder. What matches a folder
    matches all that is below it; but a last part `*` after a slash means the files of that very folder.
    """
    is_rooted = "/" in pattern.rstrip("/")
    parts = [part for part in pattern.split("/") if part]
    if not is_rooted:
        parts = [DEEP, *parts]
    is_shallow = is_rooted and parts[-1] == "*"
    if pattern.endswith("/"):
        parts.append("*")
    return tuple(parts if is_shallow else [*parts, DEEP])


def _matches(parts: Sequence[str], path: Sequence[str]) -> bool:
    return _fits(parts, path, DEEP, lambda part, name: _fits(part, name, "*", lambda one, other: one in {"?", other}))


def _fits(pattern: Sequence[Part], text: Sequence[Part], anything: Part, same: Callable[[Part, Part], bool]) -> bool:
    """Whether a pattern fits, where `anything` in it stands for any number of parts.

    It goes back to the last `anything` alone, so the time is bounded by the product of the lengths.
    """
    at = taken = 0
    star: tuple[int, int] | None = None
    while taken < len(text):
        if at < len(pattern) and pattern[at] == anything:
            star, at = (at, taken), at + 1
        elif at < len(pattern) and same(pattern[at], text[taken]):
            at, taken = at + 1, taken + 1
        elif star is not None:
            star = (star[0], star[1] + 1)
            at, taken = star[0] + 1, star[1]
        else:
            return False
    return all(part == anything for part in pattern[at:])
