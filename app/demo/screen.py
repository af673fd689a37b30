"""What the demo prints for a person. With `--json` this goes to standard error and the documents to standard output."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax

from app.demo.objects import Stage
from app.demo.story import Scenario

WIDTH = 110
MEANING = {
    "received": "the notification is kept, and answered",
    "capturing": "logs, objects and events of both versions, before they are gone",
    "diagnosing": "compare the failed version with the good one",
    "fixing": "the smallest change that takes the cause back",
    "verifying": "run it as it failed, before and after the fix; run the repository's own tests",
    "publishing": "one branch, one commit, one pull request; or the analysis alone",
    "proposed": "there is a pull request",
    "reported": "there is an analysis, but no pull request",
    "failed": "the service could not go on",
}
REPRODUCTIONS = {
    "replay": "the captured request, sent again",
    "latency": "the slow request, timed against the stable version",
    "start": "the program, started as its pod was",
    "test": "a regression test that comes with the change",
    "render": "the manifests alone: the change, not the health",
    "none": "nothing could be run",
}
COLOURS = {"red": "red", "green": "green", "not run": "yellow"}


class Screen:
    """Plain, in order, nothing that is not so."""

    def __init__(self, *, to_stderr: bool) -> None:
        self._console = Console(stderr=to_stderr, width=WIDTH, highlight=False)

    def say(self, text: str) -> None:
        self._console.print(escape(text), soft_wrap=True)

    def heading(self, text: str) -> None:
        self._console.print(f"\n[bold]{escape(text)}[/bold]", soft_wrap=True)

    def staging(self, scenario: Scenario) -> None:
        """What happens before there is anything to heal."""
        good, bad = scenario.images
        self.say(
            f"Committing the histories of {scenario.source.name} and {scenario.deploy.name}; "
            f"running {scenario.service} {good} (stable), then {bad} (canary) ..."
        )

    def failing(self, stage: Stage) -> None:
        """What went wrong, as Argo Rollouts and people saw it."""
        scenario = stage.scenario
        good, bad = scenario.images
        self.heading(f"Scenario {scenario.name}: the canary of {scenario.service} fails")
        self.say(f"  stable {good}: {stage.stable.succeeded} of {stage.stable.asked} requests answered well")
        if stage.crashed:
            code = stage.canary.pods[0].exit_code
            self.say(f"  canary {bad}: every pod dies at start with exit code {code}, again and again")
        elif scenario.metric == "latency-p95":
            slow, usual = stage.canary.p95 * 1000, stage.stable.p95 * 1000
            self.say(f"  canary {bad}: 95 of 100 requests are answered within {slow:.0f} ms; it was {usual:.0f} ms")
        else:
            lost = stage.canary.asked - stage.canary.succeeded
            self.say(f"  canary {bad}: {lost} of {stage.canary.asked} requests answered with a server error")
        self.say(f"  Argo Rollouts aborts the canary and posts what it posts then ({scenario.trigger}):")

    def state(self, state: str, seconds: float) -> None:
        """A state that the attempt has entered, `seconds` after the first one."""
        meaning = escape(MEANING.get(state, ""))
        self._console.print(f"  [dim]{seconds:5.1f} s[/dim]  {escape(state):11} [dim]{meaning}[/dim]", soft_wrap=True)

    def ending(self, incident: dict[str, Any], seconds: float) -> None:
        """The root cause, the diff, red and green, and where the pull request is."""
        self._cause(incident["diagnosis"] or {})
        patch, verification, link = incident["patch"], incident["verification"], incident["pull_request"]
        if patch:
            self.heading(f"The fix ({patch['strategy']})")
            self.say(f"  {patch['why']}")
            self._console.print(Syntax(patch["diff"].rstrip(), "diff", background_color="default"))
        if verification:
            kind = verification["kind"]
            self.heading(f"Verification: {verification['verdict']} ({kind}: {REPRODUCTIONS.get(kind, kind)})")
            self._check("before the fix", verification["before"])
            self._check("after the fix", verification["after"])
            self._check("own tests before", verification["tests_before"])
            self._check("own tests after", verification["tests_after"])
        self.heading("Pull request")
        if link:
            self.say(f"  {link['url']}")
            self.say(f"  branch {link['branch']}, into {link['base']}")
        else:
            self.say(f"  none: {incident['detail']}")
        self.say(f"  {seconds:.1f} s from the notification to here")

    def closing(self, healed: int, total: int, seconds: float, workdir: Path) -> None:
        """The last line."""
        self.heading(f"{healed} of {total} healed; {seconds:.1f} s in all, set-up included.")
        if healed < total:
            self.say(f"What the service has to say about it is in {workdir / 'service.log'}")

    def _cause(self, diagnosis: dict[str, Any]) -> None:
        location = diagnosis.get("location") or {}
        place = str(location.get("file"))
        if location.get("line"):
            place += f":{location['line']}"
        if location.get("function"):
            place += f" in {location['function']}"
        self.heading("Root cause")
        self.say(f"  {diagnosis.get('summary')}")
        self.say(f"  kind:   {diagnosis.get('category')}, confidence {diagnosis.get('confidence')}")
        self.say(f"  where:  {place if location else 'unknown'}")
        self.say(f"  commit: {diagnosis.get('culprit_commit') or 'unknown'}")

    def _check(self, name: str, check: dict[str, Any]) -> None:
        word = {"failed": "red", "passed": "green"}.get(check["result"], "not run")
        reason = f": {check['reason']}" if check["reason"] else ""
        colour = COLOURS[word]
        self._console.print(f"  {escape(name):17} [{colour}]{word}[/{colour}]{escape(reason)}", soft_wrap=True)
