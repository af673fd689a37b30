"""What the demo prints for a person. With `--json` this goes to standard error and the documents to standard output."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax

WIDTH = 110


class Screen:
    """Plain, in order, nothing that is not so."""

    def __init__(self, *, to_stderr: bool) -> None:
        self._console = Console(stderr=to_stderr, width=WIDTH, highlight=False)

    def say(self, text: str) -> None:
        self._console.print(escape(text))

    def heading(self, text: str) -> None:
        self._console.print(f"\n[bold]{escape(text)}[/bold]")

    def state(self, state: str, seconds: float) -> None:
        self._console.print(f"  [dim]{seconds:5.1f} s[/dim]  {escape(state)}")

    def ending(self, document: dict[str, Any], incident: dict[str, Any], page: str | None) -> None:
        """The root cause, the diff, red and green, and where the pull request is."""
        diagnosis = incident["diagnosis"] or {}
        location = diagnosis.get("location") or {}
        place = f"{location.get('file')}:{location.get('line')}"
        if location.get("function"):
            place += f" in {location['function']}"
        self.heading("Root cause")
        self.say(f"  {diagnosis.get('summary')}")
        self.say(f"  {diagnosis.get('category')}, confidence {diagnosis.get('confidence')}")
        self.say(f"  where:  {place if location else 'unknown'}")
        self.say(f"  commit: {diagnosis.get('culprit_commit') or 'unknown'}")
        patch = incident["patch"]
        if patch:
            self.heading(f"The fix ({patch['strategy']})")
            self.say(f"  {patch['why']}")
            self._console.print(Syntax(patch["diff"].rstrip(), "diff", background_color="default"))
        verification = incident["verification"]
        if verification:
            self.heading(f"Verification ({verification['kind']}): {verification['verdict']}")
            for name in ("before", "after", "tests_before", "tests_after"):
                self._check(name.replace("tests_", "own tests "), verification[name])
        self.heading("Pull request")
        self.say(f"  {page}" if page else f"  none: {incident['detail']}")
        self.say(f"  {document['seconds']:.1f} s from notification to here")

    def _check(self, name: str, check: dict[str, Any]) -> None:
        colour = {"failed": ("red", "red"), "passed": ("green", "green")}.get(check["result"], ("yellow", "not run"))
        reason = f": {check['reason']}" if check["reason"] else ""
        self._console.print(f"  {escape(name):16} [{colour[0]}]{colour[1]}[/{colour[0]}]{escape(reason)}")
