"""Traces: found in logs, ordered innermost first, and mapped to the files of a commit. One module a language."""

from agents.frames.finding import find_traces, read_traces
from agents.frames.layout import Layout, layout_of, naming_files
from agents.frames.mapping import Mapper, agrees, map_path, mapped
from agents.frames.names import package_of, simple_name
from agents.frames.nouns import Frame, Language, Reader, Signature, Trace

__all__ = [
    "Frame",
    "Language",
    "Layout",
    "Mapper",
    "Reader",
    "Signature",
    "Trace",
    "agrees",
    "find_traces",
    "layout_of",
    "map_path",
    "mapped",
    "naming_files",
    "package_of",
    "read_traces",
    "simple_name",
]
