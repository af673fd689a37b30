"""`ensure_issue`: one issue a cause, and one comment in it that lists when it was met again.

An incident has one issue. Another incident of the same rollout with the same cause, and a later attempt of the same
one, are lines in a comment of the issue that is open, not issues of their own. What people closed stays closed.
"""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from agents.pull_request.listing import list_once
from agents.pull_request.markers import attempt_of, cause_of, incident_of, with_marker
from agents.pull_request.nouns import Forge, Record, Text

AGAIN = ("The same was seen again:", "<!-- selfheal again -->")


class WantedIssue(BaseModel):
    """What people should find of an incident without a pull request. `text` is Markdown without the marker."""

    model_config = ConfigDict(frozen=True)

    repository: str
    incident: str
    attempt: int
    cause: str | None
    """The key that two incidents of one rollout with one cause share: 32 hex digits; None where it is not known."""
    title: str
    text: str
    line: str
    """The incident and what came of it, on one line of Markdown."""

    @property
    def body(self) -> str:
        return with_marker(self.incident, self.title, self.text, cause=self.cause, attempt=self.attempt)


async def ensure_issue(wanted: WantedIssue, forge: Forge) -> str:
    """The URL of the issue; an existing one is not reworded. Calling it again changes nothing more."""
    found = await forge.find_issue(wanted.repository, wanted.incident, wanted.cause)
    if found is None:
        return (await forge.create_issue(wanted.repository, Text(title=wanted.title, body=wanted.body))).url
    written = (incident_of(found.body), attempt_of(found.body))
    if found.state == "open" and written != (wanted.incident, wanted.attempt):
        key = f"incident={wanted.incident} attempt={wanted.attempt}"
        await list_once(wanted.repository, found.number, AGAIN, [(wanted.line, key)], forge)
    return found.url


def issue_about(issues: Iterable[Record], incident: str, cause: str | None) -> Record | None:
    """The issue about the incident, else the oldest open one about the cause."""
    same: Record | None = None
    for one in issues:
        if incident_of(one.body) == incident:
            return one
        if cause is not None and one.state == "open" and cause_of(one.body) == cause:
            same = one if same is None or one.number < same.number else same
    return same
