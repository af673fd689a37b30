"""What is missing behind an error: the receiver of a call on nothing, and who gave it its value before."""

from collections.abc import Mapping

import pytest

from agents.suspects import WORTH_NAMING, Suspect, read_message
from agents.suspects.receivers import asked_of_nothing, missing_in
from tests.shop import history
from tests.unit.agents.test_suspects import ranked


async def named(
    base: Mapping[str, str], log: str, *changes: tuple[str, str, str, str]
) -> tuple[str | None, Suspect | None]:
    """The subject of the commit that is named; `changes` are (subject, path, what is there, what is put instead)."""
    files = dict(base)
    commits: list[tuple[str, Mapping[str, str | None]]] = []
    for subject, path, old, new in changes:
        assert files[path].count(old) == 1
        files[path] = files[path].replace(old, new)
        commits.append((subject, {path: files[path]}))
    repository = history(*commits, base=base)
    suspects = await ranked(repository, log)
    if not suspects or suspects[0].score < WORTH_NAMING:
        return None, suspects[0] if suspects else None
    return changes[repository.shas.index(suspects[0].commit) - 1][0], suspects[0]


@pytest.mark.parametrize(
    ("line", "message", "body", "missing"),
    [
        ("return order.items.reduce(add, 0)", "of undefined (reading 'reduce')", [], {"items"}),
        ("total = find(key)?.price.amount", "of undefined (reading 'amount')", [], {"price"}),
        ("$this->cart->lines()->first()->label()", "member function label() on null", [], {"first"}),
        ("puts order.customer.mail.downcase", "undefined method `downcase' for nil", [], {"mail"}),
        (
            "sum + price.amount",
            "'NoneType' object has no attribute 'amount'",
            ["price = known[sku]"],
            {"price", "known", "sku"},
        ),
        (
            "return to.city().toUpperCase();",
            'Cannot invoke "com.acme.Address.city()" because "<local2>" is null',
            ["Address to = order.address();"],
            {"to", "order", "address"},
        ),
        ("return prices.map((one) => one.cents)", "of null (reading 'cents')", [], {"one", "prices"}),
        ("s.tags[key]++", "assignment to entry in nil map", [], {"s", "tags"}),
    ],
)
def test_the_expression_that_something_was_asked_of_is_what_is_missing(
    line: str, message: str, body: list[str], missing: set[str]
) -> None:
    assert missing <= missing_in(line, asked_of_nothing(message), body)
    assert not asked_of_nothing(message) & missing_in(line, asked_of_nothing(message), body)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("Invalid status code: undefined", "statusCode"),
        ("request timeout must not be null", "request_timeout"),
        ("retry limit was None", "retryLimit"),
    ],
)
def test_the_words_before_a_value_that_is_not_there_are_read_as_a_name(message: str, name: str) -> None:
    saying = read_message(None, message)
    assert saying.is_of_nothing
    assert name in saying.demanded


def test_words_before_a_value_that_is_there_are_no_name() -> None:
    saying = read_message(None, "Invalid status code: 999")
    assert not saying.is_of_nothing
    assert "statusCode" not in saying.demanded


DTO = (
    "function toOrder(row) {\n  return {\n    id: row.id,\n    items: row.lines,\n  };\n}\n\n"
    "module.exports = { toOrder };\n"
)
TOTAL = (
    "function total(order) {\n  return order.items.reduce((sum, one) => sum + one, 0);\n}\n\n"
    "module.exports = { total };\n"
)
MAIN = (
    "const { toOrder } = require('./orders/dto');\nconst { total } = require('./total');\n\n"
    "console.log('EUR ' + total(toOrder({ id: 1, lines: [3] })));\n"
)
SHOP = {"src/orders/dto.js": DTO, "src/total.js": TOTAL, "src/main.js": MAIN}
OF_UNDEFINED = (
    "TypeError: Cannot read properties of undefined (reading 'reduce')\n"
    "    at total (/app/src/total.js:2:22)\n    at Object.<anonymous> (/app/src/main.js:4:22)\n"
)


async def test_a_field_that_no_object_has_any_more_beats_new_words_on_a_calling_line() -> None:
    subject, suspect = await named(
        SHOP,
        OF_UNDEFINED,
        ("Rename", "src/orders/dto.js", "    items: row.lines", "    lines: row.lines"),
        ("Reword", "src/main.js", "'EUR '", "'In EUR '"),
    )
    assert subject == "Rename"
    assert suspect is not None
    assert (suspect.file, suspect.function) == ("src/orders/dto.js", "toOrder")


async def test_a_field_that_another_type_loses_is_no_reason() -> None:
    _, suspect = await named(
        SHOP, OF_UNDEFINED, ("Rename", "src/orders/dto.js", "    id: row.id", "    number: row.id")
    )
    assert suspect is None or "does not give" not in suspect.why


async def test_who_put_new_words_around_what_failed_did_not_break_it() -> None:
    base = {**SHOP, "src/total.js": TOTAL.replace("return order.items", "return 1 * order.items")}
    subject, _ = await named(
        base,
        OF_UNDEFINED,
        ("Rename", "src/orders/dto.js", "    items: row.lines", "    lines: row.lines"),
        ("Round", "src/total.js", "1 * order.items", "100 * order.items"),
    )
    assert subject == "Rename"


async def test_who_took_the_guard_from_what_failed_did_break_it() -> None:
    base = {**SHOP, "src/total.js": TOTAL.replace("return order.items", "return order.items && order.items")}
    subject, _ = await named(base, OF_UNDEFINED, ("Trust", "src/total.js", "order.items && order.items", "order.items"))
    assert subject == "Trust"


REFUND = (
    "import { positive } from './assert';\n\nexport function open(paid: number, back: number): number {\n"
    "  return paid - back;\n}\n\nexport function refund(paid: number, back: number): number {\n"
    "  return positive(open(paid, back), 'refund');\n}\n"
)
ASSERT = (
    "export function positive(value: number, what: string): number {\n  if (!(value > 0)) {\n"
    "    throw new RangeError(`${what} is ${value}`);\n  }\n  return value;\n}\n"
)
NOT_POSITIVE = (
    "RangeError: refund is -7\n    at positive (/app/src/assert.ts:3:11)\n    at refund (/app/src/refund.ts:8:10)\n"
)


async def test_a_check_that_was_reworded_is_not_blamed_for_what_its_caller_computes() -> None:
    subject, suspect = await named(
        {"src/refund.ts": REFUND, "src/assert.ts": ASSERT.replace("${what} is", "${what} may not be")},
        NOT_POSITIVE,
        ("Turn", "src/refund.ts", "paid - back;", "back - paid;"),
        ("Reword", "src/assert.ts", "${what} may not be", "${what} is"),
    )
    assert subject == "Turn"
    assert suspect is not None
    assert suspect.function == "open"


async def test_a_common_name_tells_of_the_type_it_is_a_method_of_and_of_no_other() -> None:
    base = {
        "src/prices.ts": "export class Prices {\n  find(sku: string) {\n    return table[sku.toLowerCase()];\n  }\n}\n",
        "src/users.ts": "export class Users {\n  find(id: string) {\n    return people[id.trim()];\n  }\n}\n",
        "src/cart.ts": (
            "import { Prices } from './prices';\n\nconst prices = new Prices();\n\n"
            "export function cents(sku: string) {\n  const price = prices.find(sku);\n  return price.cents;\n}\n"
        ),
    }
    log = "TypeError: Cannot read properties of undefined (reading 'cents')\n    at cents (/app/src/cart.ts:7:16)\n"
    subject, _ = await named(
        base,
        log,
        ("Prices", "src/prices.ts", "sku.toLowerCase()", "sku"),
        ("Users", "src/users.ts", "id.trim()", "id"),
    )
    assert subject == "Prices"


@pytest.mark.parametrize(
    ("line", "put"),
    [
        ("exports.normalize = function (text) {", "exports.normalizeText = function (text) {"),
        ("Text.prototype.normalize = function (text) {", "Text.prototype.normalizeText = function (text) {"),
        ("  normalize(text) {", "  normalizeText(text) {"),
    ],
)
async def test_a_function_that_javascript_knows_by_what_it_is_assigned_to_can_be_missed(line: str, put: str) -> None:
    indent = "class Text {\n" if line.startswith(" ") else ""
    text = f"'use strict';\n{indent}{line}\n  return text.trim();\n}}\n"
    base = {
        "lib/text.js": text,
        "lib/page.js": "const text = require('./text');\n\nexports.show = (page) => text.normalize(page.title);\n",
    }
    log = "TypeError: text.normalize is not a function\n    at exports.show (/app/lib/page.js:3:32)\n"
    subject, suspect = await named(
        base,
        log,
        ("Rename", "lib/text.js", line, put),
        ("Quote", "lib/page.js", "'./text'", '"./text"'),
    )
    assert subject == "Rename"
    assert suspect is not None
    assert suspect.why == "it took away 'normalize', which the error misses"
