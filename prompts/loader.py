"""Loads and renders the prompts, which are data of this package."""

from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined

from prompts.untrusted import attribute, neutral


class Prompt(NamedTuple):
    """One model call's two messages."""

    system: str
    task: str


def _read(name: str) -> str | None:
    source = files("prompts").joinpath(name)
    return source.read_text(encoding="utf-8") if source.is_file() else None


_ENVIRONMENT = Environment(
    loader=FunctionLoader(_read),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701 - a prompt is no HTML; `_untrusted.md` makes data harmless
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {"neutral": neutral, "attribute": attribute}


def render(name: str, **values: Any) -> Prompt:
    """The prompt `<name>.md`; jinja2's `UndefinedError` names a variable that is missing."""
    template = _ENVIRONMENT.get_template(f"{name}.md")
    parts = ["".join(template.blocks[block](template.new_context(values))).strip() for block in Prompt._fields]
    return Prompt(*parts)


def quote(text: str, source: str) -> str:
    """Untrusted text between delimiters that name where it comes from."""
    macro = getattr(_ENVIRONMENT.get_template("_untrusted.md").make_module(), "untrusted")  # noqa: B009 - the macro there
    return str(macro(text.rstrip("\n"), source)).strip()


_ENVIRONMENT.globals["untrusted"] = quote
