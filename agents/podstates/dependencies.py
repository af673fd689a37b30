"""Other services that a container cannot reach, or that do not let it in, in the words of many languages."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from agents.podstates.nouns import SAID, State
from agents.podstates.said import Said, lines_saying
from agents.podstates.scene import Scene


class Way(NamedTuple):
    """How it goes wrong: a name, words for it, and the phrases that tell it, in lower case."""

    name: str
    says: str
    phrases: tuple[str, ...]


WAYS = (
    Way(
        "dns",
        "its name is not known",
        (
            "no such host",
            "name or service not known",
            "temporary failure in name resolution",
            "enotfound",
            "eai_again",
            "unknownhostexception",
            "unresolvedaddressexception",
            "nodename nor servname",
            "could not resolve host",
            "could not translate host name",
            "failed to resolve host",
            "failed to resolve address",
            "failed to resolve '",
            "no address associated with hostname",
            "dns resolution failed",
            "nxdomain",
            "no such host is known",
        ),
    ),
    Way(
        "tls",
        "its certificate is not accepted",
        (
            "x509:",
            "certificate verify failed",
            "certificate has expired",
            "certificate is not valid",
            "unable to verify the first certificate",
            "self signed certificate",
            "self-signed certificate",
            "pkix path building failed",
            "sslhandshakeexception",
            "cert_has_expired",
            "remote certificate is invalid",
            "invalid peer certificate",
            "tls handshake",
        ),
    ),
    Way(
        "access",
        "it does not let it in",
        (
            "password authentication failed",
            "access denied for user",
            "authentication failed",
            "wrongpass",
            "noauth authentication required",
            "login failed for user",
            "sasl authentication",
            "invalid username-password pair",
            "ora-01017",
            "no pg_hba.conf entry",
            "access_refused",
            "invalid_client",
            "invalidaccesskeyid",
            "signaturedoesnotmatch",
            "expiredtoken",
            "not authorized to perform",
        ),
    ),
    Way(
        "missing database",
        "what it wants there does not exist",
        ("unknown database", 'database "', "nosuchbucket", "unknown topic or partition", "invalid object name"),
    ),
    Way(
        "refused",
        "it refuses the connection",
        (
            "connection refused",
            "econnrefused",
            "refused. check that",
            "actively refused",
            "connectionrefusederror",
            "connectexception",
        ),
    ),
    Way(
        "time",
        "it does not answer",
        (
            "etimedout",
            "connection timed out",
            "connect timeout",
            "connecttimeout",
            "i/o timeout",
            "no route to host",
            "network is unreachable",
            "communications link failure",
            "ehostunreach",
            "enetunreach",
        ),
    ),
)
WAY_OF = {phrase: way for way in WAYS for phrase in way.phrases}
DOES_NOT_EXIST = re.compile(
    r"does not exist|unknown database|nosuchbucket|unknown topic|invalid object name", re.IGNORECASE
)
URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://(?:[^\s/@\"']{1,200}@)?([\w.-]{1,253})(?::(\d{1,5}))?", re.IGNORECASE)
HOST_PORT = re.compile(
    r"(?<![\w.:/-])((?:[a-z0-9_][\w-]{0,62}\.){0,10}[a-z0-9_][\w-]{0,62}|\[[0-9a-f:]{2,45}\]):(\d{2,5})(?!\w|:\d)",
    re.IGNORECASE,
)
LOOKED_UP = re.compile(
    r"(?:lookup |enotfound |eai_again |unknownhostexception: ?|resolve(?: host| address)?:? |server at "
    r"|host(?: ?name)?(?:=| ?(?=[\"'])))[\"'(]{0,2}([a-z0-9](?:[\w.-]{1,252}))(?::(\d{2,5}))?",
    re.IGNORECASE,
)
USER = re.compile(r"user(?:name)?\s*[=:]?\s*\\?[\"']([\w.@-]{1,100})", re.IGNORECASE)
DATABASE = re.compile(
    r"database \\?[\"']([\w.-]{1,100})\\?[\"'] does not exist|unknown database '([\w.-]{1,100})'", re.IGNORECASE
)
PORT = re.compile(r"\bport\s*[=:]?\s*(\d{2,5})\b", re.IGNORECASE)
OWN = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - what a log says, nothing listens


def analyze(scene: Scene) -> Iterator[State]:
    """One state for each peer and way of failing."""
    seen: set[tuple[str, str, str]] = set()
    for said in lines_saying(scene, tuple(WAY_OF)):
        state = _state(scene, said)
        if state is not None and state.identity not in seen:
            seen.add(state.identity)
            yield state


def _state(scene: Scene, said: Said) -> State | None:
    way = WAY_OF[said.phrase]
    if way.name == "missing database" and not DOES_NOT_EXIST.search(said.text):
        return None
    host, port = peer_of(said.text)
    names = [*([host] if host else []), *([f"{host}:{port}"] if host and port else []), *([port] if port else [])]
    if way.name in {"access", "missing database"}:
        names += [one for pattern in (USER, DATABASE) for found in pattern.findall(said.text) for one in _flat(found)]
    peer = f"{host}:{port}" if host and port else host or "another service"
    return State(
        kind="dependency",
        category="infrastructure",
        sentence=f"container {said.container} cannot use {peer}: {way.says}",
        evidence=(said.cite(scene.bundle),),
        weight=SAID,
        container=said.container,
        subject=f"{way.name} {host}",
        names=tuple(dict.fromkeys(names)),
    )


def _flat(found: str | tuple[str, ...]) -> list[str]:
    return [found] if isinstance(found, str) else [one for one in found if one]


def peer_of(text: str) -> tuple[str, str]:
    """The host and the port that a line is about; empty where it names none."""
    named = PORT.search(text)
    for pattern in (URL, LOOKED_UP, HOST_PORT):
        for match in pattern.finditer(text):
            host = match[1].strip("[]").rstrip(".:,").lower()
            if _is_host(host):
                return host, match[2] or (named[1] if named else "")
    return "", named[1] if named else ""


def _is_host(host: str) -> bool:
    """Whether it may be a host, rather than a source file before its line or a word of a sentence."""
    is_file = host.rpartition(".")[2] in {"go", "py", "js", "ts", "java", "kt", "rb", "php", "rs", "cs", "mjs", "jsx"}
    return bool(host) and not is_file and (host in OWN or not host.isdecimal())
