"""Errors that no frame places: the words of a chain lead to statements, a report to what a container lacks."""

import pytest

from agents.frames import Frame, Trace
from agents.logs import Template
from agents.suspects import Call, beneath, calls_worded, chain_of, is_handed_up, names_of, phrases_of, used_at, worded
from tests.unit.agents.test_suspects_missing import named

ENTRY = (
    "package table\n\nfunc entry(line string) (float64, error) {\n\trate, err := strconv.ParseFloat(line, 64)\n"
    '\tif err != nil {\n\t\treturn 0, fmt.Errorf("rate of %s: %w", line, err)\n\t}\n\treturn rate, nil\n}\n'
)
LOAD = 'package table\n\nfunc Load() error {\n\treturn fmt.Errorf("load %d rates: %w", 2, err)\n}\n'
CHAIN = 'cannot start: load 2 rates: rate of GBP: strconv.ParseFloat: parsing "x": invalid syntax'


def hits(**files: str) -> list[tuple[str, int, str]]:
    return [
        (path.replace("_", "/") + ".go", at, line)
        for path, text in files.items()
        for at, line in enumerate(text.split("\n"), 1)
    ]


def trace(message: str, *frames: Frame, language: str = "go", causes: tuple[Trace, ...] = ()) -> Trace:
    return Trace.model_validate(
        {
            "item": "log",
            "language": language,
            "first_line": 1,
            "last_line": 1,
            "exception": "Error",
            "message": message,
            "frames": frames,
            "causes": causes,
        }
    )


def test_the_innermost_statement_of_a_chain_comes_first_and_is_placed_at_the_call_that_it_checks() -> None:
    found = worded(hits(table_load=LOAD, table_entry=ENTRY), [CHAIN])
    calls = calls_worded(found, {"table/load.go": LOAD, "table/entry.go": ENTRY})
    assert [(call.frame.path, call.frame.line, call.depth) for call in calls] == [
        ("table/entry.go", 4, 0),
        ("table/load.go", 4, 1),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        '\treturn fmt.Errorf("rate of %s is unknown: %w", line, err)',
        '\treturn fmt.Errorf("%s: %w", line, err)',
        '\treturn errors.New("rate")',
        "\t// rate of GBP",
    ],
)
def test_a_statement_that_says_something_else_or_nothing_is_none_of_the_chain(statement: str) -> None:
    assert worded([("table/entry.go", 3, statement)], [CHAIN]) == []


def test_the_source_is_searched_for_pairs_of_words_the_last_said_first() -> None:
    assert phrases_of([CHAIN])[:3] == ["invalid syntax", "parsing x", "rate of"]


def test_the_causes_of_an_error_are_read_before_what_wraps_them() -> None:
    cause = trace("invalid float literal", language="rust")
    assert chain_of(trace("loading rates", language="rust", causes=(cause,)), ()) == [
        "invalid float literal",
        "loading rates",
    ]


def test_without_a_trace_only_what_is_logged_as_an_error_is_a_chain() -> None:
    logged = [
        Template(text="ERROR load rates: no file", count=1, item="log", line=1, level="error"),
        Template(text="rate of GBP is old", count=1, item="log", line=2, level="info"),
    ]
    assert chain_of(None, logged) == ["load rates: no file"]


def test_an_error_that_is_worded_outside_of_functions_is_sought_where_it_is_used() -> None:
    errors = 'package table\n\nvar ErrStale = errors.New("the rates are stale")\n'
    use = "package table\n\nfunc check() error {\n\treturn ErrStale\n}\n"
    said = worded(hits(table_errors=errors), ["cannot start: the rates are stale"])
    names = names_of(said, {"table/errors.go": errors})
    used = used_at(hits(table_check=use), names)
    calls = calls_worded([*said, *used], {"table/errors.go": errors, "table/check.go": use})
    assert set(names) == {"ErrStale"}
    assert [(call.frame.path, call.frame.line, call.depth) for call in calls] == [("table/check.go", 4, 0)]


def frame(path: str, line: int) -> Frame:
    return Frame(path=path, line=line, function=None, code=None, kind="application", file=path)


def test_a_panic_over_an_error_that_was_handed_up_is_looked_for_where_it_was_worded() -> None:
    main = "package main\n\nfunc main() {\n\tpanic(err)\n}\n"
    panicked = trace(CHAIN, frame("main.go", 4))
    assert is_handed_up(panicked, {"main.go": main})
    assert not is_handed_up(panicked, {"main.go": main.replace("panic(err)", "total /= count")})
    inner, outer = (Call(frame=frame(path, 4), depth=0) for path in ("table/entry.go", "main.go"))
    assert [(one.frame.path, one.depth) for one in beneath([inner, outer], [outer])] == [
        ("table/entry.go", 0),
        ("main.go", 1),
    ]


CONFIG = (
    "package com.acme;\n\n@Configuration\nclass Config {\n    @Bean\n    Clock clock() {\n        return new Clock();\n"
    "    }\n\n    @Bean\n    Limiter limiter() {\n        return new Limiter(7);\n    }\n}\n"
)
LIMITER = "package com.acme;\n\n@Component\nclass Limiter {\n    Limiter(int most) {\n    }\n}\n"
NO_BEAN = (
    "***************************\nAPPLICATION FAILED TO START\n***************************\n\nDescription:\n\n"
    "Parameter 0 of constructor in com.acme.Gateway required a bean of type 'com.acme.Limiter' that could not be found."
    "\n\n\nAction:\n\nConsider defining a bean.\n"
)
JAVA = {"src/com/acme/Config.java": CONFIG, "src/com/acme/Limiter.java": LIMITER}
GATEWAY = {
    "src/com/acme/Gateway.java": "package com.acme;\n\nclass Gateway {\n    Gateway(Limiter limiter) {\n    }\n}\n"
}


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("src/com/acme/Config.java", "    @Bean\n    Limiter limiter() {\n        return new Limiter(7);\n    }\n", ""),
        ("src/com/acme/Limiter.java", "@Component\n", ""),
        ("src/com/acme/Limiter.java", "@Component\n", '@Component\n@Profile("prod")\n'),
    ],
)
async def test_who_took_from_a_container_what_it_does_not_know_is_named(path: str, old: str, new: str) -> None:
    subject, suspect = await named(
        {**JAVA, **GATEWAY},
        NO_BEAN,
        ("Tidy", path, old, new),
        ("Clock", "src/com/acme/Config.java", "return new Clock();", "return new Clock(0);"),
    )
    assert subject == "Tidy"
    assert suspect is not None
    assert suspect.file == path


async def test_a_class_that_the_container_lacks_is_not_tied_to_annotations_of_other_classes() -> None:
    other = {"src/com/acme/Mail.java": "package com.acme;\n\n@Component\nclass Mail {\n}\n"}
    subject, _ = await named(
        {**JAVA, **GATEWAY, **other}, NO_BEAN, ("Tidy", "src/com/acme/Mail.java", "@Component\n", "")
    )
    assert subject is None


async def test_the_classes_that_a_report_names_are_placed_though_it_tells_no_line() -> None:
    _, suspect = await named(
        {**JAVA, **GATEWAY},
        NO_BEAN,
        ("Widen", "src/com/acme/Gateway.java", "class Gateway {", "public class Gateway {"),
    )
    assert suspect is not None
    assert (suspect.file, suspect.line) == ("src/com/acme/Gateway.java", 3)
