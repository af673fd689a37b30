from agents.logs import Difference, compare, digest


def differences(stable: list[str], canary: list[str]) -> tuple[Difference, ...]:
    return compare(digest([("s", "\n".join(stable))]), digest([("c", "\n".join(canary))]))


def test_only_what_the_stable_version_never_says_is_left_errors_first() -> None:
    stable = ["2026-11-24T12:00:00Z INFO request 1 in 5ms", "2026-11-24T12:00:00Z WARN retry 3"]
    canary = [
        "2026-11-24T12:01:00Z INFO request 900 in 7ms",
        "2026-11-24T12:01:00Z INFO new feature on",
        "2026-11-24T12:01:01Z ERROR cannot charge order 7",
        "",
        "2026-11-24T12:01:02Z ERROR cannot charge order 8",
        "2026-11-24T12:01:02Z WARN retry 4",
    ]
    found = differences(stable, canary)
    assert [(one.how, one.template.text, one.canary, one.template.line, one.template.level) for one in found] == [
        ("new", "cannot charge order <number>", 2, 3, "error"),
        ("new", "new feature on", 1, 2, "info"),
    ]


def test_without_a_stable_log_everything_is_new_but_not_sure_and_without_a_canary_nothing_is() -> None:
    assert [(one.template.text, one.is_sure) for one in differences([], ["x", "x"])] == [("x", False)]
    assert differences(["x"] * 1000, []) == ()
