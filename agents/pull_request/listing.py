"""A list in a comment of ours that grows: one comment a thread, one line an entry, however often it is asked for."""

from agents.pull_request.markers import FORGED
from agents.pull_request.nouns import Comment, Forge


async def list_once(url: str, number: int, heading: tuple[str, str], entry: tuple[str, str], forge: Forge) -> None:
    """Have a line in our one comment below a pull request or issue.

    `heading` is the sentence above the list and the hidden line that the comment is found by, `entry` the line of
    Markdown and the hidden words that say whether it is there already.
    """
    introduction, marker = heading
    line, key = entry
    hidden = f"<!-- {key} -->"
    line = f"- {FORGED.sub('<!- -', line)} {hidden}"
    comment = next((one for one in await forge.comments(url, number) if marker in one.body.splitlines()), None)
    if comment is None:
        await forge.create_comment(url, number, f"{introduction}\n\n{line}\n\n{marker}\n")
    elif not any(one.rstrip().endswith(hidden) and one.startswith("- ") for one in comment.body.splitlines()):
        await forge.update_comment(url, number, comment.id, _with(comment, line, marker))


def _with(comment: Comment, line: str, marker: str) -> str:
    """The comment with one more line in its list, whatever a person wrote around it."""
    before, mark, after = comment.body.rpartition(marker)
    return f"{before.rstrip()}\n{line}\n\n{mark}{after}"
