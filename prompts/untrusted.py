"""Text that cannot leave its delimiters, and its way back.

`<` is written `&lt;` where it would open one of our delimiters or a control token that chat templates know (a server
may turn `<|im_end|>` in a log line into the end of a message). Nothing else is changed, so that code reads as it is;
`plain` undoes it in what a model copies from there.
"""

import re

CONTROL = r"(?:tool_calls?|tool_response|function_calls?|start_of_turn|end_of_turn|bos|eos|s)>"
_AHEAD = rf"(?=\s{{0,9}}/?\s{{0,9}}(?:(?i:untrusted)\b|[|\uff5c]|</?SYS>|{CONTROL}))"
OPENING = re.compile(rf"<{_AHEAD}")
ESCAPED = re.compile(rf"&lt;{_AHEAD}")
TURN = re.compile(r"\[(?=/?INST\])")
ESCAPED_TURN = re.compile(r"&#91;(?=/?INST\])")


def neutral(text: str) -> str:
    """The text with every delimiter and control token in it made harmless."""
    return TURN.sub("&#91;", OPENING.sub("&lt;", text))


def plain(text: str) -> str:
    """What `neutral` was given, from what it made; text that it left alone stays as it is."""
    return ESCAPED_TURN.sub("[", ESCAPED.sub("<", text))


def attribute(text: str) -> str:
    """One short line without quotes and angle brackets, for the `source` of a delimiter."""
    return re.sub(r"[\s\"'<>&]+", " ", text).strip()[:200]
