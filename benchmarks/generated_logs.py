"""Generated logs, plain or JSON: lines of 120 to 200 bytes with times, ids and addresses, and one that is the cause."""

import json
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

Form = Literal["plain", "json"]
BEGIN = datetime(2026, 11, 24, 12, tzinfo=UTC)
LEAST, MOST = 120, 200
AT_ONCE = 5_000

ORDINARY = (
    ("info", "http", "GET /api/v2/orders/{number} 200 from {address} in {small}ms request={uuid}"),
    ("info", "http", "POST /api/v2/carts/{hex}/items 201 from {address} in {small}ms user={number}"),
    ("info", "http", "GET /api/v2/products?page={small}&size=50 304 from {address} in {small}ms request={hex}"),
    ("debug", "shop.cache", "cache miss for key product:{number}:{hex}, loaded from replica {address} in {small} ms"),
    ("debug", "shop.db.pool", "connection {hex} given to request {hex} after {small} ms, {small} of 100 are in use"),
    ("info", "shop.orders", "order {hex} accepted for customer {number}: {small} items, {number} cents, via {address}"),
    ("info", "shop.payments", "payment {hex} authorised by gateway {address} in {small}ms, attempt {small}"),
    (
        "info",
        "shop.kafka",
        "committed offset {number} of partition {small} of orders-v2, lag {small}, leader {address}",
    ),
    ("warning", "shop.payments", "gateway {address} answered slowly: {number} ms for payment {hex}, limit 2000 ms"),
    ("warning", "shop.cache", "evicted {number} keys to stay below 512MiB, oldest product:{number}:{hex}"),
    ("error", "shop.mail", "error sending receipt {hex} to relay {address}: timeout after {number} ms, tried again"),
    ("error", "shop.search", "error 503 of index node {address} for query {hex}, answered from another in {small}ms"),
)
WEIGHTS = (30, 12, 14, 12, 10, 6, 5, 5, 2, 2, 1, 1)
"""How often each comes: two in a hundred are errors that mean nothing, as in many a service."""
DECISIVE = ("warning", "shop.pricing", "price table {hex} has no currency column, falling back to an empty table")
AFTERWARDS = (
    ("error", "http", "GET /api/v2/prices/{number} 500 from {address} in {small}ms request={uuid}"),
    ("error", "shop.orders", "order {hex} of customer {number} rejected: error in its total, {small} items"),
)
NEEDLE = "has no currency column"


class Written(NamedTuple):
    """A log that was written."""

    path: Path
    lines: int
    size: int
    """Bytes."""


def write(
    path: Path, lines: int, form: Form, seed: int, *, decisive: int | None = None, share_after: float = 0.0
) -> Written:
    """Write a log. Line `decisive` is the cause; after it, `share_after` of the lines are what follows from it."""
    dice = random.Random(seed)  # noqa: S311 - reproducible on purpose
    with path.open("w", encoding="utf-8") as file:
        for begin in range(0, lines, AT_ONCE):
            rows = _rows(dice, range(begin, min(begin + AT_ONCE, lines)), form, decisive, share_after)
            file.write("".join(rows))
    return Written(path, lines, path.stat().st_size)


def _rows(dice: random.Random, numbers: range, form: Form, decisive: int | None, share_after: float) -> Iterator[str]:
    kinds = dice.choices(ORDINARY, WEIGHTS, k=len(numbers))
    for number, kind in zip(numbers, kinds, strict=True):
        chosen = kind
        if decisive is not None and number == decisive:
            chosen = DECISIVE
        elif decisive is not None and number > decisive and dice.random() < share_after:
            chosen = dice.choice(AFTERWARDS)
        yield _line(dice, number, chosen, form)


def _line(dice: random.Random, number: int, kind: tuple[str, str, str], form: Form) -> str:
    level, logger, text = kind
    bits = dice.getrandbits(256)
    values: Mapping[str, object] = {
        "number": bits % 9_999_991,
        "small": bits % 997,
        "hex": f"{bits >> 64 & 0xFFFFFFFFFFFFFFFF:016x}",
        "uuid": _uuid(bits >> 96),
        "address": f"10.{bits >> 3 & 255}.{bits >> 11 & 255}.{bits >> 19 & 255}:{1024 + (bits >> 27) % 60000}",
    }
    at = BEGIN + timedelta(milliseconds=7 * number)
    stamp = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    said = text.format_map(values)
    if form == "plain":
        line = f"{stamp} {level.upper():7} [worker-{bits % 8}] {logger}: {said}"
        fill = f" span={bits >> 40 & 0xFFFFFFFFFFFFFFFF:016x} pod=shop-7d4b9c6f5d-x{bits % 20:02d}"
    else:
        line = json.dumps({"ts": stamp, "level": level, "logger": logger, "msg": said}, separators=(",", ":"))
        line, fill = line[:-1], f',"span":"{bits >> 40 & 0xFFFFFFFFFFFFFFFF:016x}"'
    if len(line) + len(fill) < MOST:
        line += fill
    return f"{line}\n" if form == "plain" else f"{line}}}\n"


def _uuid(bits: int) -> str:
    digits = f"{bits & (1 << 128) - 1:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
