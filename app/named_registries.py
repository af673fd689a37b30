"""Which container registries may be asked, and where each may lead: the setting SELFHEAL_REGISTRIES.

`ghcr.io, docker.io realm=auth.docker.io, registry.corp:5000 network=10.1.0.0/16 http`: entries are separated by
commas, their words by spaces. Nothing that is not named here is ever connected to, but for the storage that a
registry redirects a download to.
"""

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?")
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NamedRegistry(BaseModel):
    """One registry. `host` is `name[:port]` as images name it."""

    model_config = ConfigDict(frozen=True)

    host: str
    realms: tuple[str, ...] = ()
    """Other hosts that may hand out its tokens."""
    networks: tuple[Network, ...] = ()
    """Private networks that it, its realms and its storage may lie in."""
    plain_http: bool = False

    @classmethod
    def parse(cls, entry: str) -> Self:
        """One entry of the setting. `ValueError` says what is wrong with it."""
        host, *words = entry.lower().split()
        if not HOST.fullmatch(host):
            raise ValueError(f"{host!r} is not a registry's host, with its port if it has one")
        realms: list[str] = []
        networks: list[Network] = list(_own_networks(host))
        for word in words:
            key, _, value = word.partition("=")
            if key == "realm" and HOST.fullmatch(value):
                realms.append(value)
            elif key == "network":
                networks.append(_network(value))
            elif word != "http":
                raise ValueError(f"{word!r} is not understood; write realm=<host>, network=<address>/<bits> or http")
        return cls(host=host, realms=tuple(realms), networks=tuple(networks), plain_http="http" in words)

    def may_reach(self, address: str) -> bool:
        """Whether an address that a name was resolved to may be connected to: a public one, or one in `networks`."""
        ip = ipaddress.ip_address(address.partition("%")[0])
        return any(ip.version == network.version and ip in network for network in self.networks) or _is_public(ip)

    def may_hand_out_tokens(self, host: str) -> bool:
        return host in {self.host, *self.realms}


def parse_registries(setting: str) -> tuple[NamedRegistry, ...]:
    """Every entry of the setting; `ValueError` names the one that is wrong."""
    found: dict[str, NamedRegistry] = {}
    for entry in setting.split(","):
        if entry.strip():
            registry = NamedRegistry.parse(entry)
            if registry.host in found:
                raise ValueError(f"{registry.host} is named twice")
            found[registry.host] = registry
    return tuple(found.values())


def parse_credentials(text: str) -> Mapping[str, str]:
    """`<user>:<password>` by registry host, from a Docker configuration; `ValueError` shows none of it."""
    try:
        entries = json.loads(text)["auths"]
        found = {
            _host(str(url)): base64.b64decode(entry["auth"], validate=True).decode()
            for url, entry in entries.items()
            if entry.get("auth")
        }
    except (ValueError, LookupError, TypeError, AttributeError, binascii.Error):
        raise ValueError('it is no Docker configuration ({"auths": {"<host>": {"auth": "<base64>"}}})') from None
    if not all(":" in pair for pair in found.values()):
        raise ValueError("an entry's auth is not <user>:<password> in base64")
    return found


def _host(url: str) -> str:
    host = url.partition("://")[2] or url
    host = host.partition("/")[0].lower()
    return "docker.io" if host == "index.docker.io" else host


def _own_networks(host: str) -> tuple[Network, ...]:
    """An address that is written out is named by that."""
    name = re.sub(r":\d{1,5}$", "", host).strip("[]") if host.startswith("[") else host.partition(":")[0]
    if name == "localhost":
        return ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")
    try:
        return (ipaddress.ip_network(name),)
    except ValueError:
        return ()


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"network={text}: {error}") from error


def _is_public(ip: Address) -> bool:
    """Public as it stands and as what it wraps: a mapped or translated address leads to the one inside."""
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return ip.is_global and not ip.is_multicast
