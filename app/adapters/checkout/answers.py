"""What git prints, read into the nouns of the `Repository` port."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from agents.changes import Blamed, Commit, Match

FIELDS = "%H%x00%P%x00%an%x00%ct%x00%s"
LATEST = datetime(9999, 12, 31, tzinfo=UTC)
HEAD_OF_LINE = re.compile(r"(?P<sha>[0-9a-f]{40}) \d+ (?P<line>\d+)")


def commit_of(entry: str, *, is_partial: bool) -> Commit:
    """A commit from its `FIELDS` and its difference."""
    sha, parents, author, at, subject, diff = entry.split("\0", 5)
    return Commit(
        sha=sha,
        parents=tuple(parents.split()),
        author=author,
        at=datetime.fromtimestamp(min(int(at), LATEST.timestamp()), UTC),
        subject=subject,
        diff=diff.lstrip("\n"),
        is_partial=is_partial,
    )


def contents_of(batch: bytes) -> Iterator[bytes]:
    """The blobs that `cat-file --batch` tells, in order; nothing for one that is not there."""
    at = 0
    while at < len(batch):
        end = batch.index(b"\n", at)
        size = batch[at:end].rsplit(b" ", 1)[-1]
        at = end + 1
        if not size.isdigit():
            yield b"\0"
            continue
        yield batch[at : at + int(size)]
        at += int(size) + 1


def text_of(content: bytes) -> str | None:
    """None for what is not text."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _entries(porcelain: str) -> list[list[str]]:
    """The lines about each blamed line; the last of them is its text, after a tab."""
    entries: list[list[str]] = [[]]
    for line in porcelain.split("\n")[:-1]:
        entries[-1].append(line)
        if line.startswith("\t"):
            entries.append([])
    return entries[:-1]


def blamed_of(porcelain: str) -> tuple[Blamed, ...]:
    """What `git blame --line-porcelain` tells."""
    return tuple(_blamed(entry) for entry in _entries(porcelain))


def _blamed(entry: list[str]) -> Blamed:
    sha, _, line = entry[0].split(" ")[:3]
    about = dict(field.partition(" ")[::2] for field in entry[1:-1])
    return Blamed(line=int(line), commit=sha, author=about["author"], subject=about["summary"], text=entry[-1][1:])


def origins_of(porcelain: str) -> dict[int, str]:
    """The commit of each line; one is marked as the boundary where it, or one before it, may have written the line."""
    found: dict[int, str] = {}
    older: set[str] = set()
    sha = ""
    for line in porcelain.split("\n"):
        head = HEAD_OF_LINE.match(line)
        if head is not None:
            sha = head["sha"]
            found[int(head["line"])] = sha
        elif line == "boundary":
            older.add(sha)
    return {number: sha for number, sha in found.items() if sha not in older}


def matches_of(out: str) -> Iterator[Match]:
    """What `git grep -z -n` tells of files of a commit, whose names may hold line ends."""
    at = 0
    while at < len(out):
        name = out.index("\0", at)
        number = out.index("\0", name + 1)
        end = out.index("\n", number)
        path = out[at:name].partition(":")[2]
        yield Match(path=path, line=int(out[name + 1 : number]), text=out[number + 1 : end])
        at = end + 1
