"""Whether an error says that code which was built or written for one version of a library met another one.

Then any dependency that the change raised may be to blame, whatever the missing name is called in its package.
"""

import re

from agents.frames import Trace

LINKAGE = frozenset(
    {"NoSuchMethodError", "NoSuchFieldError", "NoClassDefFoundError", "ClassNotFoundException", "AbstractMethodError"}
    | {"IncompatibleClassChangeError", "IllegalAccessError", "UnsupportedClassVersionError", "VerifyError"}
    | {"MissingMethodException", "MissingFieldException", "TypeLoadException"}
)
"""What the JVM and .NET throw where a class does not have what its callers were compiled against."""
SYMBOL = re.compile(
    r"undefined symbol: |symbol lookup error|cannot import name .{0,200}[/\\](?:site|dist)-packages[/\\]"
)
MISSING = re.compile(
    r"cannot import name |has no attribute |No module named |unexpected keyword argument |takes \d+ positional "
    r"|is not a (?:function|constructor)\b|does not provide an export |Cannot find module |undefined method "
    r"|uninitialized constant |wrong number of arguments|unknown keyword|[Cc]all to undefined (?:method|function) "
    r"|Class \"?[\w\\]{1,200}\"? not found|Too few arguments to function "
)
"""What an interpreter says of the same, which tells of a library only where a library's own code failed."""
OF_NOTHING = re.compile(r"'NoneType' object|for nil\b|nil:NilClass|of (?:undefined|null)\b|on null")
CLASS = re.compile(r"[a-z]\w*(?:[./][a-z]\w*)+[./$][A-Z]\w*")
OWNER = 2
"""The leading parts of a package's name that say whose it is: `com.example`."""
LONGEST = 2000


def is_linkage(trace: Trace) -> bool:
    """Whether the exception tells of a library's version; what the program misses of its own code does not."""
    message = trace.message[:LONGEST]
    if trace.exception in LINKAGE:
        return not message.startswith("Could not initialize") and not _is_own(trace, message)
    if SYMBOL.search(message):
        return True
    innermost = trace.frames[0] if trace.frames else None
    is_of_a_library = innermost is not None and innermost.kind == "dependency" and innermost.file is None
    return is_of_a_library and MISSING.search(message) is not None and OF_NOTHING.search(message) is None


def _is_own(trace: Trace, message: str) -> bool:
    """Whether the first class that a message names is of the packages that the repository holds."""
    named = CLASS.search(message)
    owners = {_owner(frame.module) for frame in trace.frames if frame.file is not None and frame.module}
    return named is not None and _owner(named[0]) in owners


def _owner(name: str) -> tuple[str, ...]:
    return tuple(re.split(r"[./]", name)[:OWNER])
