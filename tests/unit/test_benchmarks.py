import pytest

from benchmarks.__main__ import BENCHMARKS, flatten, main


def test_a_benchmark_that_is_not_there_is_refused_before_any_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["loop", "nonesuch"]) == 2
    assert capsys.readouterr().err == f"there is no benchmark nonesuch; there are {', '.join(BENCHMARKS)}\n"


def test_nested_figures_are_shown_by_their_path() -> None:
    figures = {"rounds": 3, "config": {"verifying": 5.2, "deeper": {"x": 0}}}
    assert dict(flatten(figures)) == {"rounds": 3, "config.verifying": 5.2, "config.deeper.x": 0}
