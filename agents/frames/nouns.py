"""The nouns of a trace, whatever language printed it."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

Language = Literal["python", "go", "java", "javascript", "dotnet", "ruby", "php", "rust"]
"""Of the run time that printed a trace: `java` is Kotlin too, `javascript` TypeScript, `dotnet` C#."""


class Frame(BaseModel):
    """One call. `file` is its path in the repository once mapped, and None until then or where it is not there."""

    model_config = ConfigDict(frozen=True)

    path: str
    """As printed: absolute, relative, or a bare file name where that is all there is (`Order.java`)."""
    line: int
    """From 1; 0 where the trace does not tell."""
    function: str | None
    code: str | None
    kind: Literal["application", "dependency", "runtime"]
    """Code of the program itself, of a package it was built with, or of the language's run time and libraries."""
    file: str | None = None
    module: str | None = None
    """The qualified class or package where the trace names one: `com.example.store.Order`, `example.com/store/cart`."""


class Signature(BaseModel):
    """What makes two failures the same: the exception's type and the innermost application frame."""

    model_config = ConfigDict(frozen=True)

    exception: str
    file: str | None = None
    function: str | None = None


class Trace(BaseModel):
    """One exception with its frames, innermost first. Lines count from 1 in the log item."""

    model_config = ConfigDict(frozen=True)

    item: str
    language: Language = "python"
    first_line: int
    last_line: int
    exception: str | None
    """The exception's type, without its module; None where the log ends before it is named."""
    message: str
    frames: tuple[Frame, ...]
    causes: tuple["Trace", ...] = ()
    """The exceptions it came from, the root cause first."""

    @property
    def root(self) -> "Trace":
        """The exception at the root of the chain."""
        return self.causes[0] if self.causes else self

    @property
    def innermost(self) -> Frame | None:
        """The innermost frame that is code of the application."""
        return next((frame for frame in self.frames if frame.kind == "application"), None)


class Reader(NamedTuple):
    """How the traces of one language are found."""

    language: Language
    hints: tuple[str, ...]
    """A text that holds none of these has no trace of this language, and is not read for one."""
    find: Callable[[Sequence[str]], tuple[Trace, ...]]
    """Rows without prefixes -> their traces, in order, `item` empty, lines counted from 1 in the rows given."""
