"""The `Registry` port on the HTTP API of container registries: the labels of an image, by digest.

Owns who is talked to. Only registries that the settings name are asked; tokens come from the registry itself or a
realm that is named with it; every name is resolved here, its addresses are checked, and the connection goes to the
address that was checked. Redirects lead to storage, are followed without credentials, and what comes back must have
the digest that was asked for. Nothing is decompressed, and everything has a limit.
"""

import asyncio
import base64
import hashlib
import json
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx

from agents.evidence import ImageLabels, ImageReference
from agents.evidence.cluster import Status
from agents.evidence.images import DOCKER_HUB, kept_labels
from app.named_registries import NamedRegistry

SECONDS = 10.0
CONNECT_SECONDS, READ_SECONDS = 3.0, 5.0
MANIFEST_BYTES, CONFIG_BYTES, TOKEN_BYTES = 4 * 1024 * 1024, 2 * 1024 * 1024, 64 * 1024
MOST_REDIRECTS = 3
MOST_REMEMBERED = 1000
REDIRECTS = frozenset({301, 302, 303, 307, 308})
INDEX = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFEST = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TOKEN = re.compile(r"[\x21-\x7e]{1,32768}")
PARAMETER = re.compile(r'(\w+)="([^"]{0,2000})"')
DOCKER_HUB_API = "registry-1.docker.io"
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class _Gap(Exception):
    """What was asked for cannot be had; carries the status and the reason of the answer."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status: Status = status


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as the system knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


class HttpRegistry:
    """Asks the registries that are named, and remembers what a digest told: it never changes."""

    def __init__(
        self,
        registries: Sequence[NamedRegistry],
        credentials: Mapping[str, str] | None = None,
        resolve: Resolve = resolve_host,
        patience: float = SECONDS,
    ) -> None:
        self._patience = patience
        self._registries = {registry.host: registry for registry in registries}
        self._credentials = dict(credentials or {})
        """`<user>:<password>` by registry host."""
        self._resolve = resolve
        self._remembered: dict[str, ImageLabels] = {}
        self._context = ssl.create_default_context()

    async def labels(self, image: ImageReference) -> ImageLabels:
        key = str(image)
        if key not in self._remembered:
            try:
                answer = await self._ask(image)
            except TimeoutError:
                return ImageLabels(
                    status="failed", reason=f"{image.registry} did not answer within {self._patience:.0f} s"
                )
            except httpx.HTTPError as error:
                return ImageLabels(status="failed", reason=f"{image.registry}: {type(error).__name__}: {error}"[:300])
            except _Gap as gap:
                return ImageLabels(status=gap.status, reason=f"{image.registry}: {gap}"[:300])
            while len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.pop(next(iter(self._remembered)))
            self._remembered[key] = answer
        return self._remembered[key]

    async def _ask(self, image: ImageReference) -> ImageLabels:
        registry = self._registries.get(image.registry)
        if registry is None:
            raise _Gap("denied", "SELFHEAL_REGISTRIES does not name it")
        if image.digest is None:
            raise _Gap("gone", "the digest that ran is not known")
        transport = httpx.AsyncHTTPTransport(verify=self._context, trust_env=False)
        async with asyncio.timeout(self._patience), transport:
            credentials = self._credentials.get(image.registry)
            return await _Call(registry, image.repository, transport, self._resolve, credentials).labels(image.digest)


class _Call:
    """The requests that one image takes; they share a token."""

    def __init__(
        self,
        registry: NamedRegistry,
        repository: str,
        transport: httpx.AsyncHTTPTransport,
        resolve: Resolve,
        credentials: str | None,
    ) -> None:
        self._registry = registry
        self._repository = repository
        self._transport = transport
        self._resolve = resolve
        self._credentials = credentials
        self._authorization: str | None = None
        scheme = "http" if registry.plain_http else "https"
        self._host = DOCKER_HUB_API if registry.host == DOCKER_HUB else registry.host
        self._base = httpx.URL(f"{scheme}://{self._host}/v2/{repository}/")

    async def labels(self, digest: str) -> ImageLabels:
        manifest = _document(await self._content("manifests", digest, MANIFEST_BYTES))
        annotations = kept_labels(manifest.get("annotations"))
        if manifest.get("mediaType") in INDEX or "manifests" in manifest:
            chosen = _platform(manifest)
            manifest = _document(await self._content("manifests", chosen, MANIFEST_BYTES))
            annotations = kept_labels(manifest.get("annotations")) | annotations
        blob = _get(manifest, "config", "digest")
        if not isinstance(blob, str) or not DIGEST.fullmatch(blob):
            raise _Gap("failed", "the manifest names no configuration")
        image = _document(await self._content("blobs", blob, CONFIG_BYTES))
        labels = kept_labels(_get(image, "config", "Labels"))
        return ImageLabels(status="ok" if labels or annotations else "empty", labels=labels, annotations=annotations)

    async def _content(self, kind: str, digest: str, limit: int) -> bytes:
        """A manifest or blob; it has the digest that was asked for, whoever delivered it."""
        url = self._base.join(f"{kind}/{digest}")
        answer, body = await self._send(url, {"Authorization": self._authorization}, limit)
        if answer.status_code == 401 and self._authorization is None:
            self._authorization = await self._authorize(answer.headers.get("www-authenticate", ""))
            answer, body = await self._send(url, {"Authorization": self._authorization}, limit)
        hops = 0
        while answer.status_code in REDIRECTS:
            hops += 1
            if hops > MOST_REDIRECTS:
                raise _Gap("failed", "too many redirects")
            url = _redirected(url, answer.headers.get("location", ""), plain_http=self._registry.plain_http)
            answer, body = await self._send(url, {}, limit)
        _refuse_status(answer.status_code, f"{kind[:-1]} {digest[:19]}")
        if "sha256:" + hashlib.sha256(body).hexdigest() != digest:
            raise _Gap("failed", f"what came as {digest[:19]} has another digest")
        return body

    async def _authorize(self, challenge: str) -> str:
        """The Authorization header that a challenge asks for; the password goes nowhere that is not named."""
        scheme, _, rest = challenge.partition(" ")
        basic = f"Basic {base64.b64encode(self._credentials.encode()).decode()}" if self._credentials else None
        if scheme.lower() == "basic" and basic is not None:
            return basic
        if scheme.lower() != "bearer":
            raise _Gap("denied", "it asks for a sign-in that is not configured")
        said = dict(PARAMETER.findall(rest))
        realm = self._realm(said.get("realm", ""))
        asked = {"service": said.get("service", ""), "scope": f"repository:{self._repository}:pull"}
        answer, body = await self._send(realm.copy_merge_params(asked), {"Authorization": basic}, TOKEN_BYTES)
        _refuse_status(answer.status_code, "token")
        document = _document(body)
        token = document.get("token") or document.get("access_token")
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            raise _Gap("denied", "the token realm gave no token")
        return f"Bearer {token}"

    def _realm(self, text: str) -> httpx.URL:
        url = _url(text)
        authority = url.netloc.decode("ascii", "replace").lower()
        is_ours = authority == self._host or self._registry.may_hand_out_tokens(authority)
        is_safe = url.scheme == "https" or (url.scheme == "http" and self._registry.plain_http)
        if not is_ours or not is_safe or url.userinfo:
            raise _Gap("denied", f"its token realm {url.scheme}://{authority} is not named with it")
        return url.copy_with(fragment=None)

    async def _send(
        self, url: httpx.URL, headers: Mapping[str, str | None], limit: int
    ) -> tuple[httpx.Response, bytes]:
        """One GET to an address that was checked. `_Gap` where the answer is larger than `limit` bytes."""
        port = url.port or (443 if url.scheme == "https" else 80)
        address = await self._address(url.host, port)
        sent = {
            "Host": url.netloc.decode("ascii"),
            "Accept": ", ".join((*INDEX, *MANIFEST, "application/json", "*/*;q=0.1")),
            "Accept-Encoding": "identity",
            "User-Agent": "self-healing-rollouts",
        } | {name: value for name, value in headers.items() if value is not None}
        timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        request = httpx.Request(
            "GET",
            url.copy_with(host=address, port=port),
            headers=sent,
            extensions={"sni_hostname": url.host, "timeout": timeout.as_dict()},
        )
        response = await self._transport.handle_async_request(request)
        try:
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > limit:
                    raise _Gap("failed", f"the answer is larger than {limit} bytes")
        finally:
            await response.aclose()
        return response, bytes(body)

    async def _address(self, host: str, port: int) -> str:
        """An address of the host that may be connected to; if only one is not, none of them is trusted."""
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise _Gap("failed", f"{host} cannot be resolved: {error}") from error
        for address in addresses:
            if not self._registry.may_reach(address):
                raise _Gap("denied", f"{host} leads to {address}, which is not a public address and not named")
        if not addresses:
            raise _Gap("failed", f"{host} has no address")
        return addresses[0]


def _refuse_status(status: int, what: str) -> None:
    if status in {401, 403}:
        raise _Gap("denied", f"{what}: not allowed ({status})")
    if status == 404:
        raise _Gap("gone", f"{what}: not there")
    if status != 200:
        raise _Gap("failed", f"{what}: answered {status}")


def _redirected(url: httpx.URL, location: str, *, plain_http: bool) -> httpx.URL:
    target = url.join(_url(location)) if location else httpx.URL("")
    if target.scheme != "https" and not (target.scheme == "http" and plain_http):
        raise _Gap("denied", f"it redirects to {target.scheme or 'nowhere'}")
    return target


def _url(text: str) -> httpx.URL:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL as error:
        raise _Gap("failed", f"it names an address that is none: {error}") from error


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Gap("failed", "what it answered is not JSON") from error
    if not isinstance(document, dict):
        raise _Gap("failed", "what it answered is not a JSON object")
    return document


def _platform(index: Mapping[str, Any]) -> str:
    """The manifest of one platform: builders label all alike, so the usual one will do; attestations are no image."""
    listed = index.get("manifests")
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    platforms = [((_get(one, "platform", "os"), _get(one, "platform", "architecture")), one) for one in entries]
    images = [one for platform, one in platforms if platform[0] != "unknown"]
    usual = [one for platform, one in platforms if platform == ("linux", "amd64")]
    for one in (*usual, *images):
        digest = one.get("digest")
        if isinstance(digest, str) and DIGEST.fullmatch(digest):
            return digest
    raise _Gap("failed", "the index names no image")


def _get(thing: Any, *keys: str) -> Any:
    for key in keys:
        thing = thing.get(key) if isinstance(thing, dict) else None
    return thing
