"""What a model is told: one Markdown and Jinja file per model call, one partial for untrusted text, one loader.

A file has two blocks: `system` is ours alone, `task` holds the data of one attempt. A variable that is missing fails
the rendering. Whatever comes from logs, manifests, commits and files goes through `_untrusted.md`, which nothing
inside can close.
"""

from prompts.loader import Prompt, quote, render
from prompts.untrusted import neutral, plain

__all__ = ["Prompt", "neutral", "plain", "quote", "render"]
