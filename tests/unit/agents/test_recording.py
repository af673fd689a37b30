"""How a recorded log joins the one that capture read."""

from agents.evidence import Cut, LogText
from agents.evidence.recording import join, time_of


def line(seconds: str, text: str) -> str:
    return f"2026-11-23T07:36:{seconds}Z {text}\n"


def test_every_line_is_there_once_in_the_order_of_its_time() -> None:
    captured = line("02", "b") + line("03.1", "d")
    recorded = line("01", "a") + line("02", "b") + line("03.05", "c")
    joined = join(LogText(status="ok", text=captured), recorded)
    assert joined.text == line("01", "a") + line("02", "b") + line("03.05", "c") + line("03.1", "d")
    assert joined.status == "ok"


def test_a_line_that_was_written_twice_stays_twice() -> None:
    text = line("02", "again") * 2
    assert join(LogText(status="ok", text=text), line("02", "again")).text == text


def test_lines_without_a_time_stay_behind_their_neighbour() -> None:
    captured = line("01", "Traceback") + "  File x\n" + line("03", "end")
    joined = join(LogText(status="ok", text=captured), line("02", "between"))
    assert joined.text.splitlines()[1] == "  File x"


def test_what_was_recorded_stands_where_nothing_could_be_read_and_says_so() -> None:
    joined = join(LogText(status="gone", reason="pods x not found"), line("01", "a"))
    assert (joined.status, joined.text) == ("ok", line("01", "a"))
    assert "recorded" in str(joined.reason)
    assert "not found" in str(joined.reason)


def test_where_what_was_recorded_fills_a_part_of_a_gap_nobody_knows_how_many_lines_are_left_out() -> None:
    captured = line("01", "a") + "~~~~ 50 lines left out ~~~~\n" + line("09", "z")
    cut = Cut(kept=2, of=52, how="the newest lines")
    heard = line("01", "a") + line("02", "b") + "~~~~ 7 lines left out ~~~~\n" + line("08", "y") + line("09", "z")
    joined = join(LogText(status="truncated", text=captured, cut=cut), heard)
    assert joined.cut is None
    assert joined.text.split("\n") == [
        *(line("01", "a").strip(), "~~~~ more lines left out ~~~~"),
        *(line("02", "b").strip(), "~~~~ more lines left out ~~~~"),
        *(line("08", "y").strip(), line("09", "z").strip(), ""),
    ]
    assert join(LogText(status="truncated", text=captured, cut=cut), line("09", "z")).cut == cut


def test_fractions_of_any_length_sort_as_times() -> None:
    times = ["07", "07.05", "07.1", "07.12", "08"]
    assert sorted(times, key=lambda seconds: time_of(line(seconds, "x"))) == times
