"""Whatever stands in a log: nothing raises, every line is counted once, and numbers are those of the lines."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.logs import compare, digest, events_of, excerpt, mask, rows_of, strip_prefix
from agents.logs.lines import unwrap

PIECES = st.sampled_from(
    [
        "2026-11-25T12:00:00.1Z ",
        "stdout P ",
        "stderr F ",
        "[pod/a/b] ",
        "web-1  | ",
        '{"log":"',
        '","stream":"stdout"}',
        "ERROR ",
        "[error] ",
        "E1125 02:24:43.758734   1 a.go:1] ",
        '{"level":"error","msg":"',
        '"}',
        "\\n",
        "\\n\\tat ",
        'msg="',
        "level=info ",
        "Traceback (most recent call last):",
        '  File "/a.py", line 1, in f',
        "KeyError: 'x'",
        "\tat c.A.b(A.java:1)",
        "Caused by: ",
        "goroutine 1 [running]:",
        "status=500 ",
        '"GET /a HTTP/1.1" 200 ',
        "\n",
        "\n",
        "\r\n",
        "\0",
        "\x1b[31m",
        "\ud7ff",
        "12ab",
        " ",
        "{",
        "[",
        '"',
        "=",
        ": ",
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=6)), max_size=40).map("".join)
BOUNDED = settings(max_examples=120, deadline=None, derandomize=True)


@given(TEXTS, TEXTS)
@BOUNDED
def test_every_line_is_counted_once_and_every_first_line_is_where_it_is_said_to_be(one: str, other: str) -> None:
    logs = [("one", one), ("other", other)]
    made = digest(logs)
    texts = {item: text.split("\n") for item, text in logs}
    assert made.total == sum(len(lines) - (not lines[-1]) for lines in texts.values())
    kinds = [*made.kinds.values(), made.rows, made.blank, made.rest]
    assert sum(kind.count for kind in kinds) == made.total
    assert all(sum(kind.items.values()) == kind.count for kind in kinds)
    for kind in made.kinds.values():
        assert kind.line in [number for number, _ in kind.shown]
        for number, text in kind.shown:
            assert texts[kind.item][number - 1] == text


FORMS = st.sampled_from(
    [
        '{t} INFO access: 10.0.0.{small} - "GET /orders/{n} HTTP/1.1" {status} {n} trace={hex}',
        "{t} GET /orders/{n}/items/{small} {status} {n}ms",
        '{{"time":"{t}","level":"info","msg":"done","path":"/a/{n}","status":{status},"id":"{uuid}"}}',
        'ts={t} level=warn msg="slow {n}" status={status} took={n}.{small}s',
        "{t} ERROR [pool-{small}-thread-{n}] c.a.B - call {uuid} of {hex} failed after {n} ms, code {status}",
        "job-{n}-failed after {small}s",
        "job-{n}-succeeded after {small}s",
        "shard {hex} of node{small} is {small}% full",
    ]
)
LINES = st.builds(
    lambda form, n, small, status, id_: form.format(
        t=f"2026-11-25T12:{small % 60:02}:00.{n:06}Z", n=n, small=small, status=status, uuid=id_, hex=id_.hex
    ),
    FORMS,
    st.integers(0, 999_999),
    st.integers(0, 255),
    st.sampled_from([200, 201, 404, 500, 503]),
    st.uuids(),
)


@given(st.lists(LINES, max_size=40))
@BOUNDED
def test_counting_by_keys_finds_what_reading_and_masking_every_line_would_find(lines: list[str]) -> None:
    slowly = Counter((event.level, mask(event.headline)) for event in events_of("log", "\n".join(lines)))
    counted = {key: kind.count for key, kind in digest([("log", "\n".join(lines))]).kinds.items()}
    assert counted == {key: count for key, count in slowly.items() if key[1]}


@given(TEXTS)
@BOUNDED
def test_rows_have_every_line_and_no_other(text: str) -> None:
    lines = text.split("\n")
    numbers = {row.line for row in rows_of(text)}
    assert numbers <= set(range(1, len(lines) + 1))
    continued = {at + 1 for at, line in enumerate(lines) if at and any(unwrap(one).is_partial for one in lines[:at])}
    assert set(range(1, len(lines) + 1)) - numbers <= continued


@given(TEXTS)
@BOUNDED
def test_each_line_is_in_one_event(text: str) -> None:
    events = list(events_of("log", text))
    assert [event.first_line for event in events] == [1, *(event.last_line + 1 for event in events[:-1])]
    assert events[-1].last_line == text.count("\n") + 1


@given(TEXTS, TEXTS)
@BOUNDED
def test_a_comparison_and_an_excerpt_can_be_made_of_everything(stable: str, canary: str) -> None:
    old, new = digest([("s", stable)]), digest([("c", canary)])
    found = compare(old, new)
    assert len(excerpt(new, found).rows) <= 200
    assert all(one.canary or one.stable for one in found)
    assert compare(old, old) == ()


@given(st.text(max_size=80))
@BOUNDED
def test_a_mask_is_one_row_and_a_message_without_digits_and_quotes_keeps_its_words(text: str) -> None:
    assert len(mask(strip_prefix(text)).split("\n")) == len(strip_prefix(text).split("\n"))
    words = " ".join(word for word in text.split() if word.isalpha() and len(word) < 6 and word != "first")
    assert mask(words).split() == [word if word not in ORDINALS else "<ordinal>" for word in words.split()]


ORDINALS = {"third", "fifth", "sixth", "ninth", "tenth"}
