"""Who may call: webhook tokens that speak for a cluster, API tokens that name an actor and its scopes."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from agents.incident import NAME

Scope = Literal["read", "trigger"]


class WebhookToken(BaseModel):
    """A webhook caller's token and the cluster it speaks for."""

    model_config = ConfigDict(frozen=True)

    cluster: str
    token: SecretStr


class ApiToken(BaseModel):
    """A REST caller: the name is the recorded actor."""

    model_config = ConfigDict(frozen=True)

    name: str
    scopes: frozenset[Scope]
    token: SecretStr


def webhook_callers(tokens: SecretStr) -> tuple[WebhookToken, ...]:
    """`<cluster>:<token>,...`; `ValueError` says which rule an entry breaks, never its token."""
    callers = []
    for entry in _entries(tokens):
        cluster, colon, token = entry.partition(":")
        if not (colon and cluster.strip() and token.strip()):
            raise ValueError("SELFHEAL_WEBHOOK_TOKENS: each entry is <cluster>:<token>")
        if not re.fullmatch(NAME, cluster.strip()):
            raise ValueError(
                "SELFHEAL_WEBHOOK_TOKENS: a cluster's name has letters, digits, '.', '_' and '-', "
                "and begins and ends with a letter or digit"
            )
        callers.append(WebhookToken(cluster=cluster.strip(), token=SecretStr(token.strip())))
    _refuse_shared("SELFHEAL_WEBHOOK_TOKENS", [(caller.token, caller.cluster) for caller in callers])
    return tuple(callers)


def api_callers(tokens: SecretStr) -> tuple[ApiToken, ...]:
    """`<name>:<scope>[+<scope>]:<token>,...`; `ValueError` says which rule an entry breaks, never its token."""
    callers = []
    for entry in _entries(tokens):
        parts = entry.split(":", 2)
        if len(parts) != 3 or not all(part.strip() for part in parts):
            raise ValueError("SELFHEAL_API_TOKENS: each entry is <name>:<scope>[+<scope>]:<token>")
        scopes: set[Scope] = set()
        for scope in parts[1].split("+"):
            match scope.strip():
                case "read":
                    scopes.add("read")
                case "trigger":
                    scopes.add("trigger")
                case unknown:
                    raise ValueError(f"SELFHEAL_API_TOKENS: {unknown!r} is not a scope; use read, trigger")
        callers.append(ApiToken(name=parts[0].strip(), scopes=frozenset(scopes), token=SecretStr(parts[2].strip())))
    _refuse_shared("SELFHEAL_API_TOKENS", [(caller.token, (caller.name, caller.scopes)) for caller in callers])
    return tuple(callers)


def _refuse_shared(variable: str, pairs: list[tuple[SecretStr, object]]) -> None:
    seen: dict[str, object] = {}
    for token, owner in pairs:
        if seen.setdefault(token.get_secret_value(), owner) != owner:
            raise ValueError(f"{variable}: two entries have the same token; who presents it could be either")


def _entries(secret: SecretStr) -> list[str]:
    return [entry for entry in secret.get_secret_value().split(",") if entry.strip()]
