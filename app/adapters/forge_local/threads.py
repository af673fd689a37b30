"""Pull requests and issues as files: a record and a page of Markdown each, which a person may edit."""

import contextlib
import fcntl
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from agents.errors import Conflict, Denied
from agents.markdown import code, prose
from agents.pull_request import Record, Text

Kind = Literal["pulls", "issues"]
KINDS: tuple[Kind, ...] = ("pulls", "issues")
Raw = dict[str, Any]
"""A record as its file has it."""


class Threads:
    """What lies beside one repository. Pull requests and issues are counted together, under one lock."""

    def __init__(self, repository: Path) -> None:
        self._stem = repository.parent / repository.name.removesuffix(".git")

    def listed(self, kind: Kind) -> list[Raw]:
        """Every record; `Denied` names the one that cannot be read any more."""
        return _records(self._folder(kind))

    def create(self, kind: Kind, about: dict[str, str], text: Text) -> Record:
        """Open a thread. `Conflict` where one is open for the same `head` already."""
        folder = self._folder(kind)
        with self._locked():
            if about and any(one["state"] == "open" and one["head"] == about["head"] for one in self.listed(kind)):
                raise Conflict(f"a pull request for {about['head']} is open already")
            number = 1 + max((one["number"] for beside in KINDS for one in self.listed(beside)), default=0)
            record: Raw = {
                "number": number,
                "url": (folder / f"{number}.md").as_uri(),
                "state": "open",
                "draft": text.draft,
                "title": text.title,
                "body": text.body,
                **about,
            }
            _write(folder, record)
        return record_of(record)

    def read(self, kind: Kind, number: int) -> Raw:
        """The record of that number; `Denied` where there is none."""
        record = next((one for one in self.listed(kind) if one["number"] == number), None)
        if record is None:
            raise Denied(f"there is no {'pull request' if kind == 'pulls' else 'issue'} {number}")
        return record

    def change(self, kind: Kind, number: int, change: Callable[[Raw], Raw]) -> None:
        """Put what `change` makes of a record in its place."""
        with self._locked():
            _write(self._folder(kind), change(self.read(kind, number)))

    def comments(self, number: int) -> list[Raw]:
        """Those of a pull request or issue, oldest first."""
        _, record = self._find(number)
        found: list[Raw] = record.get("comments", [])
        return found

    def discuss(self, number: int, change: Callable[[list[Raw]], Raw]) -> Raw:
        """Change the comments of a pull request or issue; the answer is `change`'s."""
        with self._locked():
            folder, record = self._find(number)
            changed = change(record.setdefault("comments", []))
            _write(folder, record)
        return changed

    def _find(self, number: int) -> tuple[Path, Raw]:
        for kind in KINDS:
            for record in self.listed(kind):
                if record["number"] == number:
                    return self._folder(kind), record
        raise Denied(f"there is no pull request or issue {number}")

    def _folder(self, kind: Kind) -> Path:
        folder = self._stem.with_name(f"{self._stem.name}.{kind}")
        folder.mkdir(exist_ok=True)
        return folder

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder("pulls") / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _records(folder: Path) -> list[Raw]:
    """Every record, as a person may have edited it; `Denied` names the one that cannot be read any more."""
    found = []
    for path in sorted(folder.glob("[0-9]*.json")):
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            record_of(raw)
            found.append(raw)
        except (ValueError, KeyError, TypeError) as error:
            raise Denied(f"{path} is no record of a pull request or issue: {error}") from error
    return found


def record_of(raw: Raw) -> Record:
    """The record of a file. `KeyError`, `TypeError` or `ValueError` for one that is none."""
    about = {name: raw[name] for name in ("number", "url", "state", "draft", "title", "body")}
    reopened = raw["state"] == "open" and raw.get("was_closed", False)
    head, base = raw.get("head"), raw.get("base")
    return Record(**about, branch=head, base=base, merged_as=raw.get("merged_as"), reopened=reopened)


def _write(folder: Path, record: Raw) -> None:
    """The page first: a record whose page is missing would be worse than a page without a record."""
    said = [f"\n---\n\n{comment['body']}" for comment in record.get("comments", [])]
    about = [
        f"{name.capitalize()}: {', '.join(code(one) for one in record[name])}\n\n"
        for name in ("labels", "reviewers")
        if record.get(name)
    ]
    page = f"# {prose(record['title'])}\n\n{''.join(about)}{record['body']}" + "".join(said)
    for name, text in (
        (f"{record['number']}.md", page),
        (f"{record['number']}.json", json.dumps(record, indent=2)),
    ):
        new = folder / f".{name}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(folder / name)
