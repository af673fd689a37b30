"""What the message of an error says: what is not there, what is asked for, and which names and literals it tells.

Every run time has its own words for the same few complaints; each pattern is one of them.
"""

import re
from typing import NamedTuple

LONGEST = 4000
"""Characters of a message that are read."""
QUOTED = re.compile(r"['\"`\u2018\u201c]([^'\"`\u2019\u201d\n]{2,80})['\"`\u2019\u201d]")
WORD = re.compile(r"[A-Za-z_]\w{2,}")
SHAPED = re.compile(
    r"(?<![\w/.-])(?:[A-Za-z]\w*_\w+|[a-z]+[A-Z]\w*|[A-Z]{2,}[A-Z_\d]{2,}|[A-Z][a-z\d]+[A-Z]\w*|--[\w-]{3,})"
)
"""Words that only programs use: snake_case, camelCase, CONSTANT, --option."""
DOTTED = re.compile(r"(?<![\w/.-])[A-Za-z_]\w*(?:[.:\\]{1,2}[A-Za-z_]\w*){1,8}")
_Q = r"['\"`\u2018\u201c]"
_NAME = r"(?P<name>[\w$.:/\\@-]{1,200}?[?!]?)"
_QUOTED_NAME = rf"{_Q}(?:\$|:|--?)?{_NAME}['\"`\u2019\u201d]"


_THING = (
    "(?:key|setting|variable|option|parameter|property|field|attribute|environment variable|env var|argument|flag"
    "|config(?:uration)?(?: key| value)?|template|route|command|view|handler|column)"
)


def _spell(source: str) -> str:
    return source.replace("%q", _QUOTED_NAME).replace("%n", _NAME).replace("%thing", _THING)


def _patterns(*sources: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(_spell(source), re.IGNORECASE) for source in sources)


ABSENT = _patterns(
    # Python
    r"^(?!'NoneType').{0,300}?has no attribute %q",
    r"name %q is not defined",
    r"(?:local|free) variable %q",
    r"cannot import name %q",
    r"no module named %q",
    r"unexpected keyword argument %q",
    # JavaScript
    r"\b%n is not (?:defined|a function|a constructor)\b",
    r"cannot find (?:module|package|name|symbol) %q",
    r"does not provide an export named %q",
    r"cannot (?:read|set) propert(?:y|ies) (?:of \w+ )?\(?(?:reading |setting )?%q",
    r"\(evaluating %q\)",
    r"has no exported member %q",
    # Ruby
    r"undefined (?:local variable or )?method %q",
    r"undefined (?:local variable or method|variable) %q",
    r"uninitialized constant %n(?:$|[^\w:])",
    r"key not found: :?\"?%n(?:$|[^\w-])",
    r"unknown (?:attribute|keywords?):? :?%q",
    r"unknown keywords?: :?%n(?:$|[^\w-])",
    r"cannot load such file -- %n$",
    # PHP
    r"call to undefined (?:method|function) %n\(",
    r"undefined (?:array key|index|property|constant|variable):? %q",
    r"undefined (?:property|variable|constant):? (?:[\w\\]+::)?\$?%n(?:$|[^\w])",
    r"(?:class|interface|trait) %q not found",
    r"unknown named parameter \$%n(?:$|\W)",
    # Java and Kotlin
    r"(?:no such (?:method|field|property|class|bean)|cannot resolve|unresolved reference)(?: named|:)? %q",
    r"^'?[\w.$\[\]]+ (?:[\w$]+\.)*%n\([^)]{0,300}\)'?$",
    r"could not (?:resolve placeholder|find property|find or load main class) %q",
    r"no property %q found",
    r"unrecognized (?:field|property|token) %q",
    r"no enum constant %n$",
    r"no (?:static )?(?:method|field) %n(?:\(| of | in |;)",
    # .NET
    r"the given key %q",
    r"method not found: '[\w.<>\[\], ]{0,200}?[ .]%n\(",
    r"(?:field|member) not found: '?[\w.]{0,200}?\.%n'?",
    r"could not load (?:file or assembly|type) ['\"]%n[,'\"]",
    r"does not contain a definition for %q",
    # Go
    r"unknown (?:field|flag|command|shorthand flag|column|key|driver)(?: name)?:? %q",
    r"flag provided but not defined: --?%n$",
    r"can't evaluate field %n in",
    r"template: (?:no template )?%q",
    r"undefined: %n(?:$|\W)",
    # Rust, SQL and the rest
    r"(?:missing|unknown) field `%n`",
    r"(?:column|relation|table|function|type|role|database|index|view) \"?%q does not exist",
    r"(?:column|relation|table) (?:\w+\.)?%n does not exist",
    r"no such (?:table|column|function|index): (?:\w+\.)?%n(?:$|[^\w.])",
    r"unknown column %q",
    r"table %q doesn't exist",
    r"%thing %q (?:is |was |could )?(?:not|missing|unknown|undefined|unset)",
    r"(?:unknown|unsupported|unrecognized|no such|not a known) (?:\w+ ){0,2}\w+:? %q",
    r"(?:unknown|unsupported|unrecognized|no such|not a known|invalid) (?:\w+ ){0,2}\w+: %n$",
    r"no (?:such )?(?:%thing|file)(?: (?:named|called|for|found))?:? %q",
    r"(?:template|view|file|partial|resource)(?: not found|NotFound| does not exist):? %q?",
    r"no such file or directory[^'\"]{0,100}%q",
    r"(?:open|stat|read) %n: no such file",
)
UNREGISTERED = _patterns(
    # Spring, Micronaut, Quarkus, Guice, Koin
    r"no qualifying bean of type %q",
    r"required (?:a (?:single )?bean|[\w ]{1,40}) of type %q",
    r"no bean (?:of type|named) [\['\"]?%n['\"\]]?(?: exists| available|$)",
    r"unsatisfied dependency for type %n(?:$|\W)",
    r"no implementation for %n was bound",
    r"no definition found for (?:type|class):? ?%q?",
    # .NET
    r"unable to resolve service for type %q",
    r"no service for type %q has been registered",
    # JavaScript
    r"make sure that the argument \"?%n\"? at index",
    r"no provider for %n(?:$|\W)",
    r"no matching bindings found for serviceidentifier: %n(?:$|\W)",
    # PHP
    r"references (?:interface|class) %q but no such service exists",
    r"target (?:class )?\[%n\] (?:does not exist|is not instantiable)",
)
"""What a container of components should have made for somebody and does not know."""
KEY_ERRORS = frozenset(
    {"KeyError", "KeyNotFoundException", "NoSuchElementException", "ModuleNotFoundError", "ClassNotFoundException"}
)
CLASS_ERRORS = frozenset({"ClassNotFoundException", "NoClassDefFoundError", "TypeLoadException", "NoSuchFieldError"})
NULL_ERRORS = frozenset({"NullPointerException", "NullReferenceException"})
DEMANDED = _patterns(
    r"missing \d+ required (?:positional|keyword-only) arguments?: %q",
    r"^(?:[\w.]+\.)?%n\(\) (?:takes|missing|got an unexpected|got multiple)",
    r"missing keywords?: :?%n(?:$|[^\w])",
    r"too few arguments to function (?:[\w\\]+::)?%n\(\)",
    r"arguments are required: --?%n(?:$|[^\w-])",
    r"null value in column \"?%q",
    r"null value in column \"?%n\"",
    r"not null constraint failed: (?:\w+\.)?%n(?:$|\W)",
    r"field %q doesn't have a default value",
    r"%q is a required property",
    r"(?:missing|requires?)(?: a| the)?(?: required| mandatory)? %thing(?: named)?:? %q",
    r"(?:missing|requires?)(?: a| the)?(?: required| mandatory)? %thing(?: named)?:? %n(?:$|[\s,;)])",
    r"%thing %q? ?(?:must be|is required|has to be|is not set|not set)",
    r"%q %thing (?:must be|is required|has to be|is not set|not set)",
    r"%thing %n (?:must be|is required|has to be|is not set|not set)",
    r"^%n (?:must be set|is required|is not set|environment variable)",
    r"\"(?:the )?(?:return value of )?(?:[\w$<>]+\.)*%n(?:\([^)]{0,200}\))?\" is null",
    r"because (?:the return value of )?\"(?:[\w$<>]+\.)*%n(?:\([^)]{0,200}\))?\" is null",
)


NOTHING = re.compile(
    r"'NoneType' object|for nil\b|nil:NilClass|of (?:undefined|null)\b|on (?:a )?null|is null\b|nil pointer"
    r"|entry in nil map|null reference"
    r"|Object reference not set|null is not an object|undefined is not an object|NoneType",
)
GIVEN_NOTHING = re.compile(
    r"(?:\b(?:received|got|given|found|was|is|not|not be)|:) (?:undefined|null|None|nil|NaN)(?!\w| of\b)", re.IGNORECASE
)
"""A value that is not there, shown as what was handed over."""
SPOKEN = re.compile(r"([A-Za-z]{3,20}(?: [a-z]{2,20}){1,3}):? *$")
MODAL = re.compile(r" (?:must|should|has|was|is|cannot|can|may)\b[^:]{0,80}$")
"""The words before it, which may be a name's: `status code` of `statusCode`."""
FILE = re.compile(
    r"^[\w-]+(?:\.[\w-]+)*\.(?:json|ya?ml|toml|ini|conf|cfg|properties|xml|html?|tmpl|tpl|erb|sql|csv|txt|pem|crt"
    r"|key|env|lock|py|rb|js|ts|php|so|dll|jar|proto|graphql|twig|hbs|ejs)$"
)


MANGLED = re.compile(r"_[A-Z]\w*?(__\w+)$")
"""A private name of a Python class as its errors spell it: `_Cart__lines` is `self.__lines`."""


class Saying(NamedTuple):
    """What a message says, in names. `absent` and `demanded` are among `names`."""

    absent: frozenset[str]
    """What is not there: a key, an attribute, a function, a module."""
    demanded: frozenset[str]
    """What somebody asks for and did not get, and who asks: a required argument and its function, a column."""
    names: frozenset[str]
    unregistered: frozenset[str] = frozenset()
    """Those of `absent` that a container of components does not know: the types may be there."""
    is_of_nothing: bool = False
    """Whether something was asked of a value that is not there: the name is right, what should have it is missing."""


def read_message(exception: str | None, message: str) -> Saying:
    """The names in the message of an error."""
    text = message.partition("Did you mean")[0].partition("did you mean")[0][:LONGEST]
    unregistered = _found(UNREGISTERED, text)
    absent = _found(ABSENT, text) | unregistered
    bare = text.strip().strip("'\"`:")
    if exception in KEY_ERRORS and re.fullmatch(r"[\w.:/ -]{1,100}", bare) and not bare.isdigit():
        absent.add(bare)
    if exception in CLASS_ERRORS and re.fullmatch(r"[\w.$/]{1,200}", bare):
        absent.add(bare)
    demanded = _found(DEMANDED, text)
    named = {name for quoted in QUOTED.findall(text) for name in (quoted, *WORD.findall(quoted))}
    named |= set(SHAPED.findall(text))
    named |= {part for dotted in DOTTED.findall(text) for part in WORD.findall(dotted)}
    absent, demanded = _spelled(absent), _spelled(demanded) | _spoken(text)
    of_nothing = NOTHING.search(text) is not None
    is_of_nothing = of_nothing or exception in NULL_ERRORS or GIVEN_NOTHING.search(text) is not None
    named |= absent | demanded
    return Saying(
        absent=frozenset() if of_nothing else frozenset(absent),
        demanded=frozenset(demanded),
        names=frozenset(named),
        unregistered=frozenset(_spelled(unregistered)),
        is_of_nothing=is_of_nothing,
    )


def _spoken(text: str) -> set[str]:
    """The names that the words before a value which is not there may stand for, as programs spell them."""
    shown = GIVEN_NOTHING.search(text)
    before = text[max(0, shown.start() - 200) : shown.start()].rpartition("\n")[2] if shown else ""
    spoken = SPOKEN.search(MODAL.sub("", before))
    words = spoken[1].lower().split() if spoken else []
    ends = [words[-count:] for count in (2, 3) if len(words) >= count]
    return {name for one in ends for name in ("_".join(one), one[0] + "".join(word.capitalize() for word in one[1:]))}


def _found(patterns: tuple[re.Pattern[str], ...], text: str) -> set[str]:
    return {match["name"] for pattern in patterns for match in pattern.finditer(text) if match["name"]}


def _spelled(names: set[str]) -> set[str]:
    """Each name as its source has it: the last part of a qualified one, the name of a file, a dotted key whole."""
    found: set[str] = set()
    for name in (name.strip(".:/\\$-") for name in names):
        last = name.replace("\\", "/").rpartition("/")[2]
        if FILE.search(last) and not name.startswith(("com.", "org.", "io.")):
            found.add(last)
            continue
        if name.islower() and "." in name:
            found.add(name)
        found.update([part for part in re.split(r"[.:/\\$]+", name) if part][-1:])
    found |= {mangled[1] for name in found if (mangled := MANGLED.match(name))}
    return {name for name in found if len(name) > 1 and not name.isdigit()}
