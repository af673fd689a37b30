"""A small GitHub of our own, as strict as the real one where publishing depends on it; see `server`."""

from tests.github_server.hub import READER, WRITER, App, Grant, Hub, Refused, Repository, Thread
from tests.github_server.server import Answer, Call, GitHubServer, HangUp

__all__ = [
    "READER",
    "WRITER",
    "Answer",
    "App",
    "Call",
    "GitHubServer",
    "Grant",
    "HangUp",
    "Hub",
    "Refused",
    "Repository",
    "Thread",
]
