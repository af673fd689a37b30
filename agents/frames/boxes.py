"""Rich's tracebacks, drawn in a box, as plain ones: row by row, so that the numbers of the rows stay.

Code that reaches the box's right side may be cut there, and is left out.
"""

import re
from collections.abc import Sequence

TOP = re.compile(r"^[^\w]*[╭┌+][─-]+ ?Traceback \(most recent call last\) ?[─-]+[╮┐+]\s*$")
BOTTOM = re.compile(r"^[^\w]*[╰└+][─-]{3,}[╯┘+]?\s*$")
PLACE = re.compile(r"^(?P<path>\S.*?):(?P<line>\d{1,9}) in (?P<function>\S+)$")
CODE = re.compile(r"^[❱>] *\d+ [│|]? ?(?P<code>.*)$")
GUIDES = re.compile(r"^(?:[│|]\s{3}|\s)*")
NOTHING = "    ^"
"""A row that says nothing, as the carets below a line of code."""
TALLEST = 2000


def unboxed(lines: Sequence[str]) -> Sequence[str]:
    """The rows, with those of every box as the interpreter would have printed them."""
    tops = [at for at, line in enumerate(lines) if "─ Traceback (most recent call last) ─" in line and TOP.match(line)]
    if not tops:
        return lines
    plain = list(lines)
    for top in tops:
        _unbox(plain, top)
    return plain


def _unbox(plain: list[str], top: int) -> None:
    """Rewrite one box. The code of a call goes to the row below its place, which is empty in the box."""
    plain[top] = "Traceback (most recent call last):"
    place: int | None = None
    for at in range(top + 1, min(len(plain), top + TALLEST)):
        text = plain[at].strip()
        if not text.startswith(("│", "|")):
            if BOTTOM.match(text):
                plain[at] = NOTHING
            return
        inside = text[1:].removesuffix("│").removesuffix("|")
        plain[at] = NOTHING
        found = PLACE.match(inside.strip())
        if found is not None:
            plain[at] = f'  File "{found["path"]}", line {found["line"]}, in {found["function"]}'
            place = at
            continue
        code = CODE.match(inside.strip())
        if code is not None and place is not None and at > place + 1 and inside.endswith("  "):
            shown = GUIDES.sub("", code["code"])
            plain[place + 1] = f"    {shown}" if shown else NOTHING
            place = None
