"""Traces: found in logs, ordered innermost first, and mapped to the files of a commit. One module a language."""

from agents.frames.finding import find_traces
from agents.frames.mapping import agrees, map_path, mapped
from agents.frames.nouns import Frame, Language, Reader, Signature, Trace

__all__ = ["Frame", "Language", "Reader", "Signature", "Trace", "agrees", "find_traces", "map_path", "mapped"]
