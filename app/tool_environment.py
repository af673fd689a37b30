"""How this machine configures the tools that fetch packages: variables of the service that are passed on to them."""

import os
from collections.abc import Mapping

PASSED_ON = frozenset(
    {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CERT", "PIP_CONFIG_FILE"}
    | {"NPM_CONFIG_REGISTRY", "NPM_CONFIG_USERCONFIG", "NPM_CONFIG_CAFILE", "NODE_EXTRA_CA_CERTS"}
    | {"GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GONOPROXY"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"}
)
"""Indexes, proxies and certificates, in either case of letters; nothing that makes a tool run or write anything."""


def tool_environment() -> Mapping[str, str]:
    """Those of them that are set."""
    return {name: value for name, value in os.environ.items() if name.upper() in PASSED_ON}  # noqa: TID251 - see above
