"""Which changes of a function bear on its failing line, and which only stand in the same function or share a word."""

import pytest

from agents.frames import find_traces, mapped
from agents.suspects import WORTH_NAMING, clues_of, rank
from tests.shop import history
from tests.unit.agents.test_suspects import culprit, log_of, ranked
from tests.unit.agents.test_suspects_values import failing, line_of

SEND = """def send(request, limit):
    target = request.url
    if len(target) > limit:
        raise ValueError(f"{target} is too long")
    log(request)
    return target
"""
RAISED = '        raise ValueError(f"{target} is too long")'


async def named(broken: str, later: str, code: str, ending: str, *, base: str = SEND) -> int | None:
    """Which of two commits to one file is named: the first, which broke it, or the second."""
    repository = history(
        ("Break", {"shop/client.py": broken}), ("Later", {"shop/client.py": later}), base={"shop/client.py": base}
    )
    number, _ = await culprit(repository, failing(later, code, "send", ending))
    return number


@pytest.mark.parametrize("broken", [SEND.replace("> limit", ">= limit"), SEND.replace("request.url", "str(request)")])
async def test_who_changed_a_condition_of_what_is_thrown_or_a_value_in_it_did_it(broken: str) -> None:
    later = broken.replace("    log(request)\n", "    log(request)\n    count(limit)\n").replace(
        "    if len", "    seen.add(request)\n    if len"
    )
    assert await named(broken, later, RAISED, "ValueError: /a is too long") == 1


async def test_what_stands_behind_the_failing_line_did_not_make_it_fail() -> None:
    later = SEND.replace("    log(request)", "    log(request, limit)")
    repository = history(("Log more", {"shop/client.py": later}), base={"shop/client.py": SEND})
    number, _ = await culprit(repository, failing(later, "    target = request.url", "send", "AttributeError: 'url'"))
    assert number is None


async def test_what_stands_behind_the_failing_line_may_have_made_it_fail_in_a_loop() -> None:
    old = (
        "def send(lines):\n    for line in lines:\n        total = line.cents + 1\n        line = line\n    return 1\n"
    )
    later = old.replace("        line = line", "        lines.append(None)")
    repository = history(("Add one", {"shop/client.py": later}), base={"shop/client.py": old})
    log = failing(later, "        total = line.cents + 1", "send", "AttributeError: 'NoneType' object has no attribute")
    number, _ = await culprit(repository, log)
    assert number == 1


async def test_a_handler_behind_the_failing_line_counts_as_it_is_come_to() -> None:
    old = "def send(r):\n    try:\n        return r.open()\n    except OSError:\n        return None\n"
    later = old.replace("OSError", "KeyError")
    repository = history(("Catch less", {"shop/client.py": later}), base={"shop/client.py": old})
    number, _ = await culprit(repository, failing(later, "        return r.open()", "send", "OSError: gone"))
    assert number == 1


async def test_who_handed_a_wrong_value_over_beats_who_changed_another_line_of_the_function_it_failed_in() -> None:
    old = (
        "def send(request, headers):\n    size = 1\n    return headers.items()\n\n\n"
        "def post(request, headers=None):\n    headers = headers or {}\n    return send(request, headers)\n"
    )
    broken = old.replace("headers = headers or {}", "headers = 7")
    later = broken.replace("size = 1", "size = 2")
    frames = "".join(
        f'  File "/app/shop/client.py", line {line_of(later, code)}, in {function}\n    {code.strip()}\n'
        for code, function in (("    return send(request, headers)", "post"), ("    return headers.items()", "send"))
    )
    repository = history(
        ("Break", {"shop/client.py": broken}), ("Later", {"shop/client.py": later}), base={"shop/client.py": old}
    )
    log = log_of(f"{frames}AttributeError: 'int' object has no attribute 'items'")
    number, suspect = await culprit(repository, log)
    assert number == 1
    assert suspect is not None
    assert suspect.why == "it changed what a calling line hands over"


@pytest.mark.parametrize(
    ("typed", "untyped"),
    [
        ("def send(request: Request, limit: int = 3) -> str | None:", "def send(request, limit=3):"),
        ("    target: dict[str, list[int]] = request.url", "    target = request.url"),
        ("    limit: t.Optional[int] = None,", "    limit: int | None = None,"),
    ],
)
async def test_a_change_of_types_alone_is_no_reason(typed: str, untyped: str) -> None:
    body = SEND.partition("\n")[2]
    old = f"def send(\n    request,\n    limit: int | None = None,\n):\n{body}" if "None," in untyped else SEND
    old = old.replace("def send(request, limit):", "def send(request, limit=3):")
    new = old.replace(untyped, typed)
    assert new != old
    repository = history(("Types", {"shop/client.py": new}), base={"shop/client.py": old})
    suspects = await ranked(repository, failing(new, RAISED, "send", "ValueError: /a is too long"))
    assert not suspects or suspects[0].score < WORTH_NAMING


async def test_a_variable_leads_to_no_parameter_of_that_name_in_another_file() -> None:
    other = "def unique(\n    value,\n    target,\n):\n    return value\n"
    later = other.replace("    target,", '    target: "Target",\n    strict,')
    repository = history(
        ("One more", {"shop/unique.py": later}), base={"shop/unique.py": other, "shop/client.py": SEND}
    )
    number, _ = await culprit(repository, failing(SEND, "    return target", "send", "ValueError: no"))
    assert number is None


async def test_a_method_is_looked_for_in_the_type_that_its_object_is_named_after() -> None:
    catalog = "class Catalog:\n    def find(self, sku):\n        return self.all.get(sku, EMPTY)\n"
    cart = "def total(catalog, sku):\n    return catalog.find(sku).cents\n"
    later = cart.replace("def total", "LIMIT = 3\n\n\ndef total")
    repository = history(
        ("No more", {"shop/catalog.py": catalog.replace(", EMPTY", "")}),
        ("Limit", {"shop/client.py": later}),
        base={"shop/catalog.py": catalog, "shop/client.py": cart},
    )
    code = "    return catalog.find(sku).cents"
    ending = "AttributeError: 'NoneType' object has no attribute 'cents'"
    number, suspect = await culprit(repository, failing(later, code, "total", ending))
    assert number == 1
    assert suspect is not None
    assert suspect.file == "shop/catalog.py"


async def test_only_what_did_something_to_the_failing_line_is_direct_evidence() -> None:
    beside = SEND.replace("    if len", "    seen.add(request)\n    if len")
    guilty = SEND.replace("> limit", ">= limit")
    found = []
    for text in (beside, guilty):
        repository = history(("Change", {"shop/client.py": text}), base={"shop/client.py": SEND})
        found.append((await ranked(repository, failing(text, RAISED, "send", "ValueError: /a is too long")))[0])
    assert [one.is_direct for one in found] == [False, True]


async def test_a_method_that_was_only_moved_within_its_type_is_not_taken_away() -> None:
    first, second = "    def load(self):\n        return 1\n", "    def keep(self):\n        return 2\n"
    old = f"class Sheet:\n{first}\n{second}\n\nclass Page:\n    pass\n"
    moved = old.replace(f"{first}\n{second}", f"{second}\n{first}")
    user = "def send(page):\n    return page.load()\n"
    repository = history(("Move", {"shop/sheets.py": moved}), base={"shop/sheets.py": old, "shop/client.py": user})
    ending = "AttributeError: 'Page' object has no attribute 'load'"
    suspects = await ranked(repository, failing(user, "    return page.load()", "send", ending))
    assert not any(one.why.startswith("it took away") and one.score >= WORTH_NAMING for one in suspects)


async def test_who_wrote_the_same_words_in_another_function_did_not_change_the_failing_one() -> None:
    old = "class Hour:\n    def send(self, key):\n        found = self.texts[key]\n        return found\n"
    copy = old.replace("Hour", "Week")
    new = f"{old}\n\n{copy}"
    repository = history(("Weeks", {"shop/client.py": new}), base={"shop/client.py": old})
    (trace,) = mapped(
        find_traces("log", failing(new, "        found = self.texts[key]", "send", "KeyError: 'week'")),
        ["shop/client.py"],
        {"shop/client.py": new},
    )
    commits = await repository.commits(repository.shas[0], repository.shas[1])
    written = {("shop/client.py", number): repository.shas[1] for number in range(7, 12)}
    found = rank(commits, clues_of(trace, ()), {"shop/client.py": new}, origins=written)
    assert found[0].why == "it changed the file of the failing line"


async def test_a_demo_is_no_suspect_because_of_its_words() -> None:
    page = "TITLE = 'warehouse_name'\n"
    repository = history(
        ("Demo", {"demos/page.py": page.replace("name", "title")}),
        base={"demos/page.py": page, "shop/client.py": SEND},
    )
    log = failing(SEND, "    return target", "send", "KeyError: 'warehouse_name'")
    number, _ = await culprit(repository, log)
    assert number is None
