"""Other people's open pull requests, and what they change."""

from collections.abc import Sequence
from itertools import islice

from github.File import File
from github.Repository import Repository

from agents.pull_request import MOST_THEIRS, Theirs, incident_of


def their_pull_requests(base: str, paths: Sequence[str], repository: Repository) -> tuple[Theirs, ...]:
    """One request for the list, and one for the files of each; of a huge one the first page is looked at.

    GitHub leaves the patch of a large or binary file out.
    """
    listed = repository.get_pulls(state="open", base=base, sort="updated", direction="desc")
    theirs = (pull for pull in listed if pull.base.ref == base and not incident_of(pull.body or ""))
    found = []
    for pull in islice(theirs, MOST_THEIRS):
        parts = [_diff(file) for file in pull.get_files().get_page(0) if file.filename in paths and file.patch]
        if parts:
            found.append(Theirs(url=pull.html_url, diff="".join(parts)))
    return tuple(found)


def _diff(file: File) -> str:
    """GitHub gives the hunks alone."""
    old = "/dev/null" if file.status == "added" else f"a/{file.previous_filename or file.filename}"
    new = "/dev/null" if file.status == "removed" else f"b/{file.filename}"
    lead = f"diff --git a/{file.filename} b/{file.filename}\n--- {old}\n+++ {new}\n"
    return f"{lead}{file.patch}\n"
