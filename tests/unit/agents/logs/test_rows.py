from agents.logs import rows_of


def texts(*lines: str) -> list[tuple[int, str]]:
    return [(row.line, row.text) for row in rows_of("\n".join(lines))]


def test_a_trace_of_one_pod_is_in_one_piece_and_its_lines_keep_their_numbers() -> None:
    assert texts(
        "[pod/a/app] Traceback (most recent call last):",
        "[pod/b/app] INFO ok",
        '[pod/a/app] 2026-11-25T12:00:00.1Z   File "/x.py", line 1, in f',
        "[pod/b/app] ready",
        "[pod/a/app] KeyError: 'x'",
    ) == [
        (1, "Traceback (most recent call last):"),
        (3, '  File "/x.py", line 1, in f'),
        (5, "KeyError: 'x'"),
        (2, "INFO ok"),
        (4, "ready"),
    ]


def test_streams_of_compose_and_stern_are_told_apart_but_a_table_is_not_one() -> None:
    assert texts("web-1  | a", "db-1   | b", "web-1  | c") == [(1, "a"), (3, "c"), (2, "b")]
    assert texts("shop-5f8b9d7c4-q9w8z app ERROR boom") == [(1, "ERROR boom")]
    assert texts("name | value", "  | margin") == [(1, "name | value"), (2, "  | margin")]


def test_parts_of_a_line_are_joined_within_their_channel() -> None:
    assert texts(
        "2026-11-25T12:00:00.1Z stdout P Error: b",
        "2026-11-25T12:00:00.1Z stderr F other",
        "2026-11-25T12:00:00.1Z stdout F oom",
        "2026-11-25T12:00:00.1Z stdout P cut off",
    ) == [(2, "other"), (1, "Error: boom"), (4, "cut off")]


def test_dockers_json_is_taken_off_and_its_parts_are_joined() -> None:
    head = '"stream":"stderr","time":"2026-11-25T12:00:00.1Z"}'
    parts = ['{"log":"Trace",' + head, '{"log":"back\\n",' + head, '{"log":"next\\n",' + head]
    assert texts(*parts) == [(1, "Traceback"), (3, "next")]


def test_strings_that_fold_several_lines_are_unfolded_after_what_the_line_says() -> None:
    unfolded = [(1, "boom"), (1, "Error: x"), (1, "    at f (/a.js:1:2)")]
    assert texts('{"msg":"boom","err":{"stack":"Error: x\\n    at f (/a.js:1:2)"}}') == unfolded
    assert texts('ERROR boom {"stack":"Error: x\\n    at f (/a.js:1:2)"}')[1:] == unfolded[1:]
    assert texts("ERROR java.lang.X: y\\n\\tat c.A.b(A.java:1)") == [
        (1, "ERROR java.lang.X: y"),
        (1, "\tat c.A.b(A.java:1)"),
    ]
    assert texts("saved C:\\new\\name") == [(1, "saved C:\\new\\name")]


def test_tracebacks_that_structlog_writes_as_dictionaries_read_as_the_interpreter_prints_them() -> None:
    line = (
        '{"event":"cannot charge","exception":[{"exc_type":"ValueError","exc_value":"no price","is_cause":false,'
        '"frames":[{"filename":"/a.py","lineno":8,"name":"run"}]},{"exc_type":"KeyError","exc_value":"\'price\'","is_cause":true,'
        '"frames":[{"filename":"/a.py","lineno":5,"name":"boom"}]}]}'
    )
    assert [text for _, text in texts(line)] == [
        "cannot charge",
        "Traceback (most recent call last):",
        '  File "/a.py", line 5, in boom',
        "KeyError: 'price'",
        "",
        "The above exception was the direct cause of the following exception:",
        "",
        "Traceback (most recent call last):",
        '  File "/a.py", line 8, in run',
        "ValueError: no price",
    ]


def test_heads_that_a_logger_repeats_before_every_row_are_taken_off() -> None:
    head = "2026-11-25 12:00:0{},123 ERROR [main] shop - {}"
    rows = [
        "java.lang.IllegalStateException: boom",
        "\tat c.A.b(A.java:12)",
        "\tat c.A.c(A.java:13)",
        "Caused by: java.lang.Y: z",
        "\t... 1 more",
    ]
    after = "2026-11-25 12:00:09,125 INFO [main] shop - order placed"
    lines = [head.format(at, row) for at, row in enumerate(rows)]
    assert [text for _, text in texts(*lines, after)] == [*rows, after]


def test_broken_bytes_and_line_ends_do_not_break_rows() -> None:
    assert texts("a\r", "b\0c\r", "\ufffdx", "") == [(1, "a"), (2, "bc"), (3, "\ufffdx"), (4, "")]
