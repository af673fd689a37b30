"""Templates that differ in one word only: a word that takes many values is a variable that no pattern could know."""

import re
from collections import defaultdict
from collections.abc import Collection

LEAST_VALUES = 6
"""Different words at one place that make it a variable."""
LEAST_WORDS = 3
"""Words besides it, since two say too little to be the same message."""
LONGEST = 60
"""Words of a message that are compared."""
TELLING = re.compile(
    r"(?i).*(?:fail|error|exception|refus|denied|invalid|timeout|crash|panic|abort|reject|missing|unavailable|fatal)"
    r"|(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$|.*status=[1-5]"
)
"""Words that are never taken for values."""
WILDCARD = "<any>"


def merged(texts: Collection[str]) -> dict[str, str]:
    """By template what it is called together with those that differ from it in a word or two; only of such ones."""
    once = _merged(texts)
    twice = _merged({once.get(text, text) for text in texts})
    names = {text: twice.get(once.get(text, text), once.get(text, text)) for text in texts}
    return {text: name for text, name in names.items() if name != text}


def _merged(texts: Collection[str]) -> dict[str, str]:
    places: dict[tuple[int, str], list[str]] = defaultdict(list)
    for text in sorted(texts):
        words = text.split(" ")
        if LEAST_WORDS < len(words) <= LONGEST:
            for at, word in enumerate(words):
                if not TELLING.match(word):
                    places[at, " ".join((*words[:at], WILDCARD, *words[at + 1 :]))].append(text)
    names: dict[str, str] = {}
    for (_, name), found in sorted(places.items(), key=lambda place: (-len(place[1]), place[0])):
        if len(found) >= LEAST_VALUES:
            for text in found:
                names.setdefault(text, name)
    return names
