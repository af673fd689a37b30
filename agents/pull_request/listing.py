"""A list in a comment of ours that grows: one comment a thread, one line an entry, however often it is asked for."""

from collections.abc import Sequence

from agents.pull_request.markers import FORGED
from agents.pull_request.nouns import Comment, Forge

Entry = tuple[str, str]
"""A line of Markdown, and the hidden words that say whether it is there already."""


async def list_once(url: str, number: int, heading: tuple[str, str], entries: Sequence[Entry], forge: Forge) -> None:
    """Have the last entry in our one comment below a pull request or issue; all of them where the comment is new.

    `heading` is the sentence above the list, and the hidden line that the comment is found by.
    """
    introduction, marker = heading
    comment = next((one for one in await forge.comments(url, number) if marker in one.body.splitlines()), None)
    if comment is None:
        lines = "\n".join(_line(entry) for entry in entries)
        await forge.create_comment(url, number, f"{introduction}\n\n{lines}\n\n{marker}\n")
    elif not any(_is_about(line, entries[-1]) for line in comment.body.splitlines()):
        await forge.update_comment(url, number, comment.id, _with(comment, _line(entries[-1]), marker))


def _line(entry: Entry) -> str:
    told, key = entry
    return f"- {FORGED.sub('<!- -', ' '.join(told.split()))} <!-- {key} -->"


def _is_about(line: str, entry: Entry) -> bool:
    return line.startswith("- ") and line.rstrip().endswith(f"<!-- {entry[1]} -->")


def _with(comment: Comment, line: str, marker: str) -> str:
    """The comment with one more line in its list, whatever a person wrote around it."""
    before, mark, after = comment.body.rpartition(marker)
    return f"{before.rstrip()}\n{line}\n\n{mark}{after}"
