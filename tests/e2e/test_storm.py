from pathlib import Path

from benchmarks.storm import run


def test_a_storm_of_notifications_is_one_incident_a_canary_and_one_pull_request_for_their_one_cause(
    tmp_path: Path, needs_bubblewrap: None
) -> None:
    """The bounded form; `make bench ONLY=storm` sends 1,000 notifications of 50 canaries."""
    del needs_bubblewrap
    figures = run(tmp_path, canaries=6, notifications=120)
    assert figures["accepted"] == 120
    assert figures["incidents"] == figures["incidents_after"] == 6
    assert figures["attempts"] == 6
    assert figures["proposed"] == figures["joined"] + 1 == 6
    assert figures["pull_requests"] == 1
