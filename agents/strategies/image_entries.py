"""Edits of one entry of a kustomization's `images`, and of the list: the places that change, and no line besides."""

import re

from agents.changes.image_slots import split_image
from agents.changes.marked import Fields, Mark, as_scalar, entries_at, marked_documents, written

Span = tuple[int, int, str]
"""Start and end in the text, and what to put there."""
GIVES = ("newTag", "digest")


def entry_spans(text: str, entry: Fields, before: str, image: str) -> list[Span] | None:
    """What makes the entry turn the image `before` into `image`; None where it cannot say that as it is written."""
    name, tag, digest = split_image(image)
    if not tag and not digest:
        return None
    needed = {key: value for key, value in (("newTag", tag), ("digest", digest)) if value}
    if name != split_image(before)[0] or "newName" in entry:
        needed["newName"] = name
    known = {key: field for key, field in entry.items() if isinstance(field.value, Mark)}
    spans: list[Span] = []
    for key in [key for key in needed if key in known]:
        mark = known[key].value
        if isinstance(mark, Mark) and mark.text != needed[key]:
            spans.append((mark.start, mark.end, written(mark, text, needed[key])))
    missing = [key for key in needed if key not in known]
    leftover = [key for key in (*GIVES, "tagSuffix") if key in known and key not in needed]
    for key in [key for key in missing if key in GIVES and leftover]:
        key_mark, value = known[leftover.pop(0)]
        if not isinstance(value, Mark):
            return None
        missing.remove(key)
        spans.append((key_mark.start, value.end, f"{key}: {written(value, text, needed[key])}"))
    for key in leftover:
        line = _own_line(text, known[key].key)
        if line is None:
            return None
        spans.append((*line, ""))
    if missing:
        spans.append(_inserted(text, entry, {key: needed[key] for key in missing}))
    return spans


def new_entry(text: str, current: str, image: str) -> list[Span] | None:
    """One more entry of `images`, for what is called `current` so far; None where the list is not of the usual form."""
    name, tag, digest = split_image(image)
    if not tag and not digest:
        return None
    fields = {"name": split_image(current)[0]}
    fields |= {"newName": name} if name != fields["name"] else {}
    fields |= {key: value for key, value in (("newTag", tag), ("digest", digest)) if value}
    break_ = _line_break(text)
    (document,) = marked_documents(text)
    entries = [one for one in entries_at(document, "images") if isinstance(one, dict) and one]
    if isinstance(document, dict) and "images" in document and not entries:
        return None
    if not entries:
        lead = "" if not text or text.endswith("\n") else break_
        return [(len(text), len(text), f"{lead}images:{break_}{_written_entry('', '  ', fields, break_)}")]
    first = min(field.key.start for field in entries[-1].values())
    start = text.rfind("\n", 0, first) + 1
    lead = text[start:first]
    if not re.fullmatch(r"[ ]*-[ ]+", lead):
        return None
    end = text.find("\n", max(_end(field.value) for field in entries[-1].values()))
    end = len(text) if end < 0 else end + 1
    before = "" if text[:end].endswith("\n") else break_
    indent, dash = lead.partition("-")[0], len(lead)
    return [(end, end, before + _written_entry(indent, " " * dash, fields, break_))]


def _written_entry(indent: str, inner: str, fields: dict[str, str], break_: str) -> str:
    """A block entry: its dash stands at `indent`, its keys after the first at `inner`."""
    gap = " " * (len(inner) - len(indent) - 1)
    lines = [f"{key}: {as_scalar(value)}{break_}" for key, value in fields.items()]
    return f"{indent}-{gap}" + inner.join(lines)


def _inserted(text: str, entry: Fields, added: dict[str, str]) -> Span:
    """More keys at the end of an entry, in its style."""
    last = max(entry.values(), key=lambda field: field.key.start)
    end = _end(last.value)
    first = min(field.key.start for field in entry.values())
    if text[:first].rstrip().endswith("{"):
        return end, end, "".join(f", {key}: {as_scalar(value)}" for key, value in added.items())
    column = first - (text.rfind("\n", 0, first) + 1)
    stop = text.find("\n", end)
    stop = len(text) if stop < 0 else stop + 1
    break_ = _line_break(text)
    lead = "" if text[:stop].endswith("\n") else break_
    return (
        stop,
        stop,
        lead + "".join(f"{' ' * column}{key}: {as_scalar(value)}{break_}" for key, value in added.items()),
    )


def _end(value: object) -> int:
    return value.end if isinstance(value, Mark) else 0


def _own_line(text: str, key: Mark) -> tuple[int, int] | None:
    """The line that a key has to itself, with its break; None where something else stands on it."""
    start = text.rfind("\n", 0, key.start) + 1
    end = text.find("\n", key.end)
    end = len(text) if end < 0 else end + 1
    is_alone = not text[start : key.start].strip() and re.fullmatch(r"[^{},]*", text[start:end]) is not None
    return (start, end) if is_alone else None


def _line_break(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
