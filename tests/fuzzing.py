"""What the readers of logs are fuzzed with: real texts from their own tests, deformed; and the functions under test.

Everything follows from a seed, so that whatever is found can be found again.
"""

import ast
import random
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from agents.frames import find_traces
from agents.frames.finding import READERS
from agents.logs import compare, cut, digest, events_of, excerpt, level_of, mask, rows_of, strip_prefix
from agents.redaction import Redactor
from agents.traffic import answers_in

FOLDER = Path(__file__).parent
TEXTS_IN = (
    "unit/agents/frames/test_*.py",
    "unit/agents/logs/test_*.py",
    "unit/agents/test_frames.py",
    "unit/agents/test_logs.py",
)
RECORDED_IN = (("unit/agents/frames/recorded/**/*.txt", 1), ("recordings/**/*.log", 9))
"""Where recorded texts lie, and how many of them stand for one that is taken: those of pods are much alike."""
SHORTEST = 60
LONGEST_RECORDING = 20_000
LONG_LINE = 10_000
MANY_ROWS = 300
MOST_REPEATED = 60_000
TOKEN = re.compile(r"\w+|\s+|[^\w\s]+")

Target = Callable[[str], object]


def lines_of(text: str) -> list[str]:
    """The rows that a reader gets of a log."""
    return [row.text for row in rows_of(text)]


def targets() -> Mapping[str, Target]:
    """Every function that is given the text of a log before anything is known of it, by name."""
    found: dict[str, Target] = {f"frames.{reader.language}": _of_rows(reader.find) for reader in READERS}
    found["frames"] = lambda text: find_traces("log", text)
    found["logs.rows"] = rows_of
    found["logs.mask"] = lambda text: [mask(strip_prefix(line)) for line in text.split("\n")]
    found["logs.level"] = lambda text: [level_of(line) for line in text.split("\n")]
    found["logs.events"] = lambda text: list(events_of("log", text))
    found["logs.digest"] = lambda text: digest([("log", text)])
    found["logs.compare"] = _both_sides
    found["traffic"] = lambda text: answers_in("log", text.split("\n"))
    found["logs.cut"] = lambda text: cut(text, max(2048, len(text) // 3))
    found["redaction"] = lambda text: Redactor().redact_text(text)
    return found


def _both_sides(text: str) -> object:
    """What is compared and shown of a text's second half, as if the first were the stable version's."""
    half = len(text) // 2
    stable, canary = digest([("stable", text[:half])]), digest([("canary", text[half:])])
    return excerpt(canary, compare(stable, canary))


def _of_rows(find: Callable[[list[str]], object]) -> Target:
    return lambda text: find(lines_of(text))


class Deformed(NamedTuple):
    """A text to read, and where it came from and what was done to it."""

    name: str
    text: str


def corpus() -> Mapping[str, str]:
    """The texts by name: those in the tests of the readers, in any language, and logs that were recorded."""
    found: dict[str, str] = {}
    for pattern in TEXTS_IN:
        for file in sorted(FOLDER.glob(pattern)):
            found.update(_texts(file))
    for pattern, step in RECORDED_IN:
        for log in sorted(FOLDER.glob(pattern))[::step]:
            text = log.read_bytes().decode("utf-8", errors="replace")
            found[log.relative_to(FOLDER).as_posix()] = text[:LONGEST_RECORDING]
    return found


def _texts(file: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "/x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if len(text) >= SHORTEST:
            yield f"{file.name}:{node.lineno}", text


def mutated(texts: Mapping[str, str], seed: int, scale: int = 1) -> Deformed:
    """One of the texts, deformed up to four times. `scale` makes the result that many times as long, about."""
    dice = random.Random(seed)  # noqa: S311 - reproducible on purpose
    others = list(texts.values())
    name = dice.choice(list(texts))
    text = texts[name]
    for _ in range(dice.randint(0, 3)):
        mutation = dice.choice(MUTATIONS)
        text = mutation(dice, text, others)
        name = f"{name} {mutation.__name__[1:]}"
    swell = dice.choice(SWELLING)  # last, so that nothing before it depends on the scale
    return Deformed(f"seed {seed}: {name} {swell.__name__[1:]}", swell(dice, text, scale))


def _splice(dice: random.Random, text: str, texts: list[str]) -> str:
    rows, other = text.split("\n"), dice.choice(texts).split("\n")
    at = dice.randint(0, len(rows))
    return "\n".join(rows[:at] + other[dice.randint(0, len(other)) :] + rows[at:])


def _interleave(dice: random.Random, text: str, texts: list[str]) -> str:
    """Two pods or threads that write into each other's lines."""
    rows = text.split("\n")
    for row in dice.choice(texts).split("\n"):
        rows.insert(dice.randint(0, len(rows)), row)
    return "\n".join(rows)


def _cut(dice: random.Random, text: str, _texts: list[str]) -> str:
    begin, end = sorted((dice.randint(0, len(text)), dice.randint(0, len(text))))
    return text[begin:end]


def _thin_out(dice: random.Random, text: str, _texts: list[str]) -> str:
    share = dice.random()
    return "\n".join(row for row in text.split("\n") if dice.random() < share)


def _double(dice: random.Random, text: str, _texts: list[str]) -> str:
    return "\n".join(row for row in text.split("\n") for _ in range(dice.choice((1, 1, 2, 5))))


def _shuffle(dice: random.Random, text: str, _texts: list[str]) -> str:
    rows = text.split("\n")
    dice.shuffle(rows)
    return "\n".join(rows)


def _spoil(dice: random.Random, text: str, _texts: list[str]) -> str:
    """Bytes that are no text, as a reader of files makes text of them."""
    data = bytearray(text.encode())
    for _ in range(min(len(data), dice.randint(1, 30))):
        data[dice.randrange(len(data))] = dice.randrange(256)
    return data.decode("utf-8", errors="replace")


def _swell(dice: random.Random, text: str, scale: int) -> str:
    """A piece of a row, said again and again within that row: what a pattern that backtracks cannot bear."""
    rows = text.split("\n")
    at = dice.randrange(len(rows))
    row = rows[at]
    tokens = [match.start() for match in TOKEN.finditer(row)] + [len(row)]
    first = dice.randrange(len(tokens))
    begin = tokens[first] if dice.random() < 0.8 else dice.randint(0, len(row))
    end = max(begin + 1, tokens[min(first + dice.randint(1, 5), len(tokens) - 1)])
    piece = row[begin:end] or " "
    rows[at] = row[:begin] + piece * (LONG_LINE * scale // len(piece)) + dice.choice((row[begin:], row[end:], ""))
    return "\n".join(rows)


def _repeat_rows(dice: random.Random, text: str, scale: int) -> str:
    """One row to three, hundreds of times: openings that are never closed, chains without end."""
    rows = text.split("\n")
    at = dice.randrange(len(rows))
    again = rows[at : at + dice.choice((1, 1, 2, 3))]
    times = max(2, min(MANY_ROWS, MOST_REPEATED // (1 + sum(map(len, again)))))
    return "\n".join([*rows[:at], *again * (times * scale), *rows[at:]])


def _repeat_hint(dice: random.Random, text: str, scale: int) -> str:
    """What makes a reader look, everywhere: on one line or at the end of as many."""
    hint = dice.choice([hint for reader in READERS for hint in reader.hints])
    if dice.random() < 0.5:
        return f"{text}\n{hint * (LONG_LINE * scale // len(hint))}\n{text}"
    rows = text[:MOST_REPEATED].split("\n")
    return "\n".join(f"{row} {hint}" for row in (rows * (max(1, MANY_ROWS // len(rows)) * scale)))


def _nest(dice: random.Random, text: str, _texts: list[str]) -> str:
    """Rows that are indented ever deeper, or strings within JSON within JSON."""
    rows = text.split("\n")
    if dice.random() < 0.5:
        step = dice.choice((" ", "\t", "| ", "  |  "))
        return "\n".join(step * min(at, 300) + row for at, row in enumerate(rows))
    depth = dice.randint(1, 400)
    inside = dice.choice(rows).replace("\\", "").replace('"', "")
    return dice.choice(('{"a":', "[")) * depth + f'"{inside}\\n{inside}"' + dice.choice(("}", "]", "")) * depth


def _join(dice: random.Random, text: str, _texts: list[str]) -> str:
    """The rows in one line, really or as a logger escapes them."""
    return text.replace("\n", dice.choice((" ", "\\n", "\r", "\t", "\\\\n")))


def _dress(dice: random.Random, text: str, _texts: list[str]) -> str:
    """What collectors put before a line."""
    before = dice.choice(
        ("2026-11-24T12:00:00.000000000Z ", "[pod/a] ", "\x1b[31m", "2026-11-24 12:00:00,123 ERROR [m] ")
    )
    return "\n".join(before + row for row in text.split("\n"))


def _repeat(_dice: random.Random, text: str, scale: int) -> str:
    """The text as it is, or again and again."""
    return "\n".join([text] * scale)


MUTATIONS = (_splice, _interleave, _cut, _thin_out, _double, _shuffle, _spoil, _nest, _join, _dress)
SWELLING = (*[_swell] * 6, _repeat_rows, _repeat_rows, _repeat_hint, _repeat)
"""Those that make a text as long as one likes."""
