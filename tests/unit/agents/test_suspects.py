import time

import pytest

from agents.changes import Commit
from agents.frames import find_traces, mapped
from agents.logs import Template
from agents.suspects import WORTH_NAMING, Clues, Suspect, clues_of, rank
from tests.fakes import START, FakeRepository, diff_trees
from tests.shop import APP, BROKEN, PRICES, TRACE, broken_history, history


async def ranked(repository: FakeRepository, log: str = TRACE) -> tuple[Suspect, ...]:
    canary = repository.shas[-1]
    files = await repository.files(canary)
    texts = {path: (await repository.read(canary, path)).text for path in files}
    (trace,) = mapped(find_traces("log", log), files, texts)
    return rank(await repository.commits(repository.shas[0], canary), clues_of(trace, ()), texts)


def log_of(frames: str) -> str:
    return f"Traceback (most recent call last):\n{frames}\n"


async def culprit(repository: FakeRepository, log: str = TRACE) -> tuple[int | None, Suspect | None]:
    """Which commit is named, counted from the stable version, and why."""
    suspects = await ranked(repository, log)
    if not suspects or suspects[0].score < WORTH_NAMING:
        return None, suspects[0] if suspects else None
    return repository.shas.index(suspects[0].commit), suspects[0]


async def test_the_commit_that_changed_the_failing_function_is_named_not_the_last_one() -> None:
    number, suspect = await culprit(broken_history())
    assert number == 3
    assert suspect is not None
    assert (suspect.file, suspect.line, suspect.function) == ("shop/prices.py", 8, "price")
    assert suspect.why == "it changed where the failing line has its values from"


async def test_lines_taken_from_a_method_are_found_though_nothing_was_added() -> None:
    before = (
        "class Prices:\n    def one(self):\n        return 1000\n\n    def price(self, item):\n"
        "        found = item.get(1)\n        found = found or 7\n        return found * item.count\n"
    )
    after = before.replace("        found = found or 7\n", "")
    log = log_of('  File "/app/shop/p.py", line 7, in price\n    return found * item.count\nTypeError: x')
    repository = history(
        ("Simplify", {"shop/p.py": after}),
        ("One is two", {"shop/p.py": after.replace("1000", "2000")}),
        base={"shop/p.py": before},
    )
    number, suspect = await culprit(repository, log)
    assert number == 1
    assert suspect is not None
    assert suspect.function == "price"


async def test_the_commit_that_wrote_the_failing_line_beats_the_one_that_formatted_it() -> None:
    bad = PRICES.replace('found * item["count"]', "found*item['amount']")
    log = (
        TRACE.replace("line 8", "line 10").replace('item["count"]', 'item["amount"]').split("TypeError")[0]
        + "KeyError: 'amount'\n"
    )
    repository = history(
        ("Count amounts", {"shop/prices.py": bad}),
        ("Format", {"shop/prices.py": bad.replace("found*item['amount']", 'found * item["amount"]')}),
        ("Comment", {"shop/prices.py": bad.replace("found*item['amount']", 'found * item["amount"]  # amounts')}),
    )
    number, suspect = await culprit(repository, log.replace('item["amount"]\n', 'item["amount"]  # amounts\n'))
    assert number == 1
    assert suspect is not None
    assert suspect.why == "it wrote the failing line"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"shop/prices.py": PRICES.replace('"tea": 3', '"tea":3')}, id="formatting"),
        pytest.param({"shop/prices.py": PRICES.replace("DEFAULT = 2", "DEFAULT = 2  # cents")}, id="comment"),
        pytest.param(
            {"shop/prices.py": PRICES.replace("found * item", "found*item")}, id="the failing line's formatting"
        ),
        pytest.param({"tests/test_prices.py": "def test_price():\n    found = price(item)\n"}, id="tests"),
        pytest.param({"README.md": "price found item count NoneType int\n"}, id="prose"),
        pytest.param({"shop/app.py": APP + "\n\ndef hello():\n    print('hello')\n"}, id="another function"),
        pytest.param({"other.py": "int('3')\nx = None\nitem = price = 1\n"}, id="built-in names elsewhere"),
        pytest.param(
            {"shop/cache.py": "class Cache:\n    def get(self, name):\n        return None\n"}, id="called get"
        ),
    ],
)
async def test_a_change_that_explains_nothing_is_not_named(change: dict[str, str]) -> None:
    text = change.get("shop/prices.py", PRICES)
    line = text.split("\n").index(next(line for line in text.split("\n") if "return found" in line)) + 1
    log = TRACE.replace("line 8", f"line {line}").replace(
        'found * item["count"]', text.split("\n")[line - 1].strip()[7:]
    )
    number, suspect = await culprit(history(("Change", change)), log)
    assert number is None, suspect


async def test_many_frames_in_one_file_do_not_make_its_other_changes_guilty() -> None:
    body = "".join(f"def f{at}(n):\n    return f{at + 1}(n)\n\n\n" for at in range(8))
    text = body + "def f8(n):\n    return 1 / n\n\n\ndef unrelated():\n    return 'before'\n"
    frames = "".join(
        f'  File "/app/m/deep.py", line {at * 4 + 2}, in f{at}\n    return f{at + 1}(n)\n' for at in range(8)
    )
    log = log_of(
        f'{frames}  File "/app/m/deep.py", line 34, in f8\n    return 1 / n\nZeroDivisionError: division by zero'
    )
    repository = history(("Other words", {"m/deep.py": text.replace("before", "after")}), base={"m/deep.py": text})
    number, suspect = await culprit(repository, log)
    assert number is None, suspect
    assert suspect is not None


async def test_a_fault_in_a_file_that_was_renamed_later_is_found_under_its_new_name() -> None:
    moved = APP.replace("shop.prices", "shop.money")
    repository = history(
        ("Drop the default price", {"shop/prices.py": BROKEN}),
        ("Rename", {"shop/prices.py": None, "shop/money.py": BROKEN, "shop/app.py": moved}),
        ("Document", {"README.md": "x\n"}),
    )
    number, suspect = await culprit(repository, TRACE.replace("shop/prices.py", "shop/money.py"))
    assert number == 1
    assert suspect is not None
    assert (suspect.file, suspect.line) == ("shop/money.py", 8)


async def test_what_the_error_misses_points_to_the_commit_that_took_it_away() -> None:
    app = APP.replace("import price", "import price, TABLE")
    log = (
        'Traceback (most recent call last):\n  File "/app/shop/app.py", line 1, in <module>\n'
        "    from shop.prices import price, TABLE\n"
        "ImportError: cannot import name 'TABLE' from 'shop.prices' (/app/shop/prices.py)\n"
    )
    renamed = PRICES.replace("TABLE", "PRICE_LIST")
    repository = history(
        ("Name the list", {"shop/prices.py": renamed}),
        ("Greet", {"shop/app.py": app + "\n\ndef hello():\n    print(TABLE)\n"}),
        base={"shop/app.py": app, "shop/prices.py": PRICES},
    )
    number, suspect = await culprit(repository, log)
    assert number == 1
    assert suspect is not None
    assert suspect.why == "it took away 'TABLE', which the error misses"


async def test_a_function_that_the_failing_line_calls_is_suspected_at_its_own_place() -> None:
    used = APP.replace("price(item)", "int(price(item))")
    log = log_of('  File "/app/shop/app.py", line 7, in total\n    result += int(price(item))\nValueError: x')
    changed = PRICES.replace('return found * item["count"]', 'return f"{found} coins"')
    base = {"shop/app.py": used, "shop/prices.py": PRICES}
    number, suspect = await culprit(history(("Say coins", {"shop/prices.py": changed}), base=base), log)
    assert number == 1
    assert suspect is not None
    assert (suspect.file, suspect.line, suspect.function) == ("shop/prices.py", 10, "price")
    assert "price" in suspect.why


def commit(number: int, diff: str, *parents: str) -> Commit:
    return Commit(
        sha=f"{number:040x}", parents=parents or ("p",), author="Ana", at=START, subject=str(number), diff=diff
    )


def test_a_merge_is_never_named_for_what_it_brought() -> None:
    diff = diff_trees({"shop/prices.py": PRICES}, {"shop/prices.py": BROKEN}, context=3)
    (trace,) = mapped(find_traces("log", TRACE), ["shop/prices.py"])
    suspects = rank([commit(3, diff, "p", "q"), commit(2, diff)], clues_of(trace, ()), {"shop/prices.py": BROKEN})
    assert {suspect.commit for suspect in suspects} == {f"{2:040x}"}


def test_a_deleted_file_has_no_line() -> None:
    clues = Clues(names=frozenset({"apply_discount"}), absent=frozenset({"apply_discount"}))
    diff = diff_trees({"a.py": "def apply_discount():\n    pass\n"}, {}, context=3)
    (suspect,) = rank([commit(1, diff)], clues, {})
    assert (suspect.file, suspect.line, suspect.function) == ("a.py", None, None)


@pytest.mark.parametrize(
    ("text", "level", "statement", "is_named"),
    [
        ("ERROR discount campaign <number> expired", "error", 'log.error("discount campaign %s expired", n)', True),
        ("discount campaign <number> expired", "critical", "log.Fatalf(`discount campaign %d expired`, n)", True),
        ("INFO discount campaign <number> opened", "info", 'log.info("discount campaign %s opened", n)', False),
        ("ERROR cannot reach peer", "error", 'log.error("discount campaign %s expired", n)', False),
    ],
)
def test_the_statement_that_wrote_an_error_of_the_canary_alone_is_a_strong_clue(
    text: str,
    level: str,
    statement: str,
    is_named: bool,  # noqa: FBT001 - a column of the table
) -> None:
    template = Template(text=text, count=3, item="log", line=1, level=level)
    diff = diff_trees({"a.go": ""}, {"a.go": f"{statement}\n"}, context=3)
    suspects = rank([commit(1, diff)], clues_of(None, [template]), {})
    assert bool(suspects and suspects[0].score >= WORTH_NAMING) is is_named


def test_a_large_range_is_ranked_in_seconds() -> None:
    text = "".join(f"def f{at}(n):\n    value = n + {at}\n    return value\n\n\n" for at in range(2_000))
    head = "diff --git a/big.py b/big.py\n--- a/big.py\n+++ b/big.py\n"
    hunk = head + "@@ -{0} +{0} @@\n-    value = n - {1}\n+    value = n + {1}\n"
    commits = [commit(at, hunk.format(at * 5 + 2, at)) for at in range(200)]
    log = 'Traceback (most recent call last):\n  File "/app/big.py", line 3, in f0\n    return value\nE: x\n'
    (trace,) = mapped(find_traces("log", log), ["big.py"])
    start = time.process_time()
    suspects = rank(commits, clues_of(trace, ()), {"big.py": text})
    assert suspects[0].commit == commits[0].sha
    assert time.process_time() - start < 10


JAVA_FRAMES = "\tat com.vendor.Client.open(Client.java:88)\n\tat com.acme.shop.Main.main(Main.java:3)\n"
JS_FRAMES = "    at Client.open (/app/node_modules/client/index.js:8:3)\n    at main (/app/src/main.js:1:9)\n"


@pytest.mark.parametrize(
    ("log", "is_named"),
    [
        (
            f"Exception in thread \"main\" java.lang.NoSuchMethodError: 'void com.google.base.A.b()'\n{JAVA_FRAMES}",
            True,
        ),
        (f'Exception in thread "main" java.lang.NoClassDefFoundError: com/google/base/A\n{JAVA_FRAMES}', True),
        (f'Exception in thread "main" java.lang.NoClassDefFoundError: com/acme/shop/A\n{JAVA_FRAMES}', False),
        (f'Exception in thread "main" java.lang.IllegalStateException: com.google.base.A\n{JAVA_FRAMES}', False),
        (f"TypeError: codec.read is not a function\n{JS_FRAMES}", True),
        (f"TypeError: Cannot read properties of undefined (reading 'a')\n{JS_FRAMES}", False),
    ],
)
def test_where_the_versions_of_libraries_do_not_fit_any_that_was_raised_is_suspected(
    log: str,
    is_named: bool,  # noqa: FBT001 - a column of the table
) -> None:
    texts = {"src/com/acme/shop/Main.java": "package com.acme.shop;\nclass Main {\n  void main() {}\n}\n"}
    texts |= {"src/main.js": "main();\n"}
    (trace,) = mapped(find_traces("log", log), sorted(texts), texts)
    old, new = ({"web/package.json": f'{{\n  "zed": "{version}"\n}}\n'} for version in ("1.0", "2.0"))
    diff = diff_trees(old, new, context=3)
    suspects = rank([commit(1, diff)], clues_of(trace, ()), texts)
    assert bool(suspects and suspects[0].score >= WORTH_NAMING) is is_named


async def test_a_row_of_a_table_is_a_change_of_the_table_which_the_failing_line_uses() -> None:
    app = "from shop.rates import RATES\n\n\ndef net(cents, country):\n    return cents / RATES[country]\n"
    rows = "".join(f'    "c{at}": {{\n        "low": {at},\n    }},\n' for at in range(9))
    table = f"RATES = {{\n{rows}}}\n"
    log = log_of(
        '  File "/app/shop/net.py", line 5, in net\n    return cents / RATES[country]\n'
        "TypeError: unsupported operand type(s) for /: 'int' and 'dict'"
    )
    repository = history(
        ("Lower one", {"shop/rates.py": table.replace('"low": 5', '"low": 6')}),
        base={"shop/net.py": app, "shop/rates.py": table},
    )
    number, suspect = await culprit(repository, log)
    assert number == 1
    assert suspect is not None
    assert suspect.why == "it changed RATES, which the failing line uses"
