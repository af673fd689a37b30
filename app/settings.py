"""Every knob, typed and documented; the README's table is generated from here. Built once by `cli`."""

import difflib
import ipaddress
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from agents.errors import Invalid
from agents.incident import NAME
from agents.policy import Policy, parse_policy
from app import callers
from app.callers import ApiToken, WebhookToken
from app.github_account import PUBLIC_API, GitHubAccount
from app.named_registries import NamedRegistry, parse_credentials, parse_registries

PREFIX = "SELFHEAL_"
SERVICE_LINK = re.compile(
    r"(?:.+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_.+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
"""What Kubernetes sets in every pod for a Service that is called `selfheal` or `selfheal-...`."""
SERVICE_URL = re.compile(r"(?:tcp|udp|sctp)://")


class Settings(BaseSettings):
    """Read from the environment, prefix SELFHEAL_."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, hide_input_in_errors=True
    )

    data_dir: Path = Field(
        default=Path(".selfheal"),
        description="Folder of the databases, mirrors and locks; one service per folder.",
    )
    host: str = Field(default="127.0.0.1", description="Address that the intake listens on.")
    port: int = Field(default=8080, ge=1, le=65535, description="Port that the intake listens on.")
    webhook_tokens: SecretStr = Field(
        default=SecretStr(""),
        description="`<cluster>:<token>,...`: who may notify, and which cluster each token speaks for. "
        "Several tokens may name one cluster (rotation).",
    )
    api_tokens: SecretStr = Field(
        default=SecretStr(""),
        description="`<name>:<scope>[+<scope>]:<token>,...`: REST callers; scopes `read`, `trigger`.",
    )
    insecure_dev: bool = Field(
        default=False, description="Start without tokens and accept every caller; only on a loopback address."
    )
    policy: Path | None = Field(
        default=None, description="The server policy, a YAML file; without it no repository is allowed."
    )
    bundles: Path | None = Field(
        default=None,
        description="Folder of evidence served as if it were a cluster: `<cluster>/<namespace>/<rollout>/<hash>/`.",
    )
    kubeconfig: Path | None = Field(
        default=None,
        description="A kubeconfig file, to read evidence from the clusters of its contexts. Without it and "
        "`SELFHEAL_CONTEXTS`, a service that runs in a pod reads from the pod's own cluster.",
    )
    contexts: str = Field(
        default="",
        description="`<cluster>:<context>,...`: which context of the kubeconfig is which cluster; `<cluster>:` is the "
        "pod's own cluster. Without it, the only cluster that a webhook token names has the current context.",
    )
    namespaces: str = Field(
        default="",
        description="Namespaces whose Rollouts are watched, `<namespace>,...`; all of them if empty, which takes a "
        "ClusterRoleBinding.",
    )
    argocd_namespace: str = Field(default="argocd", description="Namespace of Argo CD's Applications.")
    recorder: Literal["off", "canary", "all"] = Field(
        default="canary",
        description="Whose logs are followed while a canary is in progress, in memory: nobody's, the canary's, or the "
        "stable version's too.",
    )
    recorder_streams: int = Field(default=100, ge=1, description="Logs that the recorder follows at once, at most.")
    recorder_mb: int = Field(default=64, ge=1, description="Memory for the lines that the recorder holds, in MiB.")
    evidence_days: float = Field(default=30, gt=0, description="Bundles older than this are deleted.")
    evidence_gb: float = Field(
        default=5, gt=0, description="Of the bundles, the newest up to this size in GiB are kept, compressed."
    )
    prometheus_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Prometheus that the queries of a failed analysis are asked again at, for both versions.",
    )
    prometheus_token: SecretStr = Field(default=SecretStr(""), description="Bearer token for it, if it takes one.")
    forge_dir: Path | None = Field(
        default=None,
        description="Folder of the local forge; `file:` repository URLs are allowed only below it.",
    )
    mirrors_gb: float = Field(
        default=20,
        gt=0,
        description="Room for the mirrors of repositories in GiB; beyond it, those used least recently are removed.",
    )
    github_token: SecretStr | None = Field(
        default=None,
        description="GitHub token that may write contents, pull requests and issues; or use an App.",
    )
    github_app_id: str | None = Field(
        default=None, description="Id of the GitHub App to act as, instead of a token; needs its private key."
    )
    github_private_key_file: Path | None = Field(
        default=None, description="File with the GitHub App's private key, in PEM form."
    )
    github_installation_id: int | None = Field(
        default=None,
        ge=1,
        description="The App's installation; looked up for each repository where it is not set.",
    )
    github_url: str = Field(
        default=PUBLIC_API,
        description="GitHub's REST API; `https://<host>/api/v3` for an Enterprise Server. "
        "Only repositories of this host are opened.",
    )
    github_ca_file: Path | None = Field(
        default=None,
        description="Certificates to trust for GitHub instead of the public ones, in PEM form: "
        "for an Enterprise Server with a private certificate authority.",
    )
    registries: str = Field(
        default="",
        description="Container registries that may be asked for an image's labels: `<host>[ realm=<host>]"
        "[ network=<CIDR>][ http],...`. `realm` may hand out its tokens, `network` allows private addresses; e.g. "
        "`ghcr.io,docker.io realm=auth.docker.io`.",
    )
    registry_auth_file: Path | None = Field(
        default=None, description="Docker `config.json` with the passwords of those registries that need one."
    )
    sandbox: Literal["bubblewrap", "process"] = Field(
        default="bubblewrap",
        description="How repository code is run. `process` isolates nothing: for code you trust only.",
    )
    sandbox_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()) / "selfheal-sandbox",  # which writes there to find out
        description="Folder of the sandbox's working trees; `sandbox_uid` must be able to reach it.",
    )
    sandbox_uid: int = Field(
        default=60999,
        ge=1,
        le=2**31 - 1,
        description="Ordinary user id that the sandbox starts from when the service runs as root.",
    )
    sandbox_seconds: float = Field(default=120, gt=0, description="Time limit of one sandboxed command, in seconds.")
    sandbox_memory_mb: int = Field(
        default=2048, ge=64, description="Address space limit of a sandboxed process, in MiB."
    )
    packages_gb: float = Field(
        default=5,
        ge=0,
        description="Size of the cache of packages that repositories ask for, in GiB; with 0 none are fetched.",
    )
    python_index: str = Field(
        default="", description="Python package index; the machine's own configuration of pip if empty."
    )
    npm_registry: str = Field(default="", description="npm registry; the machine's own configuration of npm if empty.")
    go_proxy: str = Field(default="", description="GOPROXY for modules; the machine's own GOPROXY if empty.")
    model: str | None = Field(
        default=None, description="Name of the model that investigates and writes fixes; without one, rules do both."
    )
    model_url: str | None = Field(
        default=None,
        description="Base URL of any server that speaks the OpenAI chat API, such as `http://vllm:8000/v1`; "
        "OpenAI's own where only a key is set.",
    )
    model_key: SecretStr | None = Field(default=None, description="Key for the model's server.")
    model_calls: int = Field(default=40, ge=4, description="Most calls of the model in one attempt.")
    model_tokens: int = Field(
        default=400_000, ge=1000, description="Most tokens of the model, read and written, in one attempt."
    )
    model_seconds: float = Field(
        default=300, gt=0, description="Time limit of one investigation, and of one try at a fix, in seconds."
    )
    metrics_open: bool = Field(default=False, description="Answer `/metrics` without a token of scope `read`.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level that is logged."
    )

    @field_validator("port", mode="before")
    @classmethod
    def _ignore_service_link(cls, value: Any) -> Any:
        """In a pod beside a Service called `selfheal`, Kubernetes sets SELFHEAL_PORT to that Service's address."""
        return cls.model_fields["port"].default if SERVICE_URL.match(str(value)) else value

    @model_validator(mode="after")
    def _refuse_two_clusters(self) -> Self:
        if self.bundles is not None and (self.kubeconfig is not None or self.contexts):
            raise ValueError(
                "SELFHEAL_BUNDLES serves as the cluster; leave out SELFHEAL_KUBECONFIG and SELFHEAL_CONTEXTS"
            )
        if self.kubeconfig is not None and not self.contexts and len(self.clusters) > 1:
            raise ValueError("SELFHEAL_CONTEXTS: webhook tokens name several clusters, so name the context of each")
        unknown = self.cluster_contexts.keys() - {*self.clusters}
        if unknown:
            raise ValueError(
                f"SELFHEAL_CONTEXTS: no webhook token names {', '.join(sorted(unknown))}; "
                f"there are {', '.join(self.clusters)}"
            )
        return self

    @model_validator(mode="after")
    def _refuse_open_doors(self) -> Self:
        webhook, api = self.webhook_callers, self.api_callers  # reading them refuses malformed lists at the start
        if self.insecure_dev:
            if not _is_loopback(self.host):
                raise ValueError(
                    f"insecure_dev accepts every caller, so it listens on loopback only; host is {self.host!r}"
                )
        elif not (webhook and api):
            missing = "SELFHEAL_WEBHOOK_TOKENS" if not webhook else "SELFHEAL_API_TOKENS"
            raise ValueError(
                f"{missing} is not set, so nobody could be told from a stranger. Set it, or start with "
                "--insecure-dev to try the service on a loopback address"
            )
        return self

    @model_validator(mode="after")
    def _check_github(self) -> Self:
        _ = self.github
        return self

    @property
    def github(self) -> GitHubAccount | None:
        """The GitHub to work on; None where no way to sign in is set."""
        return GitHubAccount.of(
            self.github_url,
            self.github_token,
            self.github_app_id,
            self.github_private_key_file,
            self.github_installation_id,
            self.github_ca_file,
        )

    @model_validator(mode="after")
    def _refuse_half_a_model(self) -> Self:
        if self.model is None:
            if self.model_url is not None or self.model_key is not None:
                given = "SELFHEAL_MODEL_URL" if self.model_url is not None else "SELFHEAL_MODEL_KEY"
                raise ValueError(f"{given} is set, but SELFHEAL_MODEL is not: name the model to use")
        elif self.model_url is None and self.model_key is None:
            raise ValueError(
                "SELFHEAL_MODEL is set, but no way to reach it: set SELFHEAL_MODEL_URL (any server that speaks the "
                "OpenAI chat API) or SELFHEAL_MODEL_KEY"
            )
        if self.model_url is not None:
            _refuse_odd_url("SELFHEAL_MODEL_URL", self.model_url)
        return self

    @field_validator("registries")
    @classmethod
    def _check_registries(cls, value: str) -> str:
        parse_registries(value)
        return value

    @property
    def named_registries(self) -> tuple[NamedRegistry, ...]:
        """The registries that may be asked; none unless they are named."""
        return parse_registries(self.registries)

    @property
    def webhook_callers(self) -> tuple[WebhookToken, ...]:
        return callers.webhook_callers(self.webhook_tokens)

    @property
    def api_callers(self) -> tuple[ApiToken, ...]:
        return callers.api_callers(self.api_tokens)

    @property
    def cluster_contexts(self) -> dict[str, str | None]:
        """The kubeconfig's context of each cluster: "" is the current one, None the cluster that this pod runs in."""
        found: dict[str, str | None] = {}
        for entry in filter(str.strip, self.contexts.split(",")):
            cluster, colon, context = entry.strip().partition(":")
            if not colon or not re.fullmatch(NAME, cluster) or cluster in found:
                raise ValueError("SELFHEAL_CONTEXTS: each entry is <cluster>:<context>, and each cluster is there once")
            found[cluster] = context.strip() or None
        if not found and self.kubeconfig is not None:
            return {self.clusters[0]: ""}
        return found

    @property
    def watched_namespaces(self) -> tuple[str, ...]:
        """Where Rollouts are watched; a single empty name is all namespaces."""
        return tuple(dict.fromkeys(name.strip() for name in self.namespaces.split(",") if name.strip())) or ("",)

    @property
    def clusters(self) -> tuple[str, ...]:
        """The clusters that some token speaks for, in the order they were configured."""
        return tuple(dict.fromkeys(caller.cluster for caller in self.webhook_callers)) or ("dev",)


class WorkerSettings(Settings):
    """The settings of a process that answers nobody and reads from no cluster: it takes no tokens to tell callers."""

    @model_validator(mode="after")
    def _refuse_two_clusters(self) -> Self:
        return self

    @model_validator(mode="after")
    def _refuse_open_doors(self) -> Self:
        _ = self.webhook_callers, self.api_callers  # malformed lists are refused all the same
        return self


def read_settings(*, answers: bool = True) -> Settings:
    """The settings of this process; `Invalid` names every variable that is wrong, and shows no value.

    `answers` is whether it listens for callers, and so has to tell them apart.
    """
    _refuse_unknown(os.environ)  # noqa: TID251 - this is where the environment is read
    try:
        return Settings() if answers else WorkerSettings()
    except ValidationError as error:
        raise Invalid("; ".join(_explain(str(one["msg"]), one["loc"]) for one in error.errors())) from None


def read_policy(path: Path | None) -> Policy:
    """The server policy; without a file, nothing is allowed. `Invalid` says what is wrong with the file."""
    if path is None:
        return Policy()
    try:
        return parse_policy(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"SELFHEAL_POLICY: {path} cannot be read: {error}") from error
    except Invalid as error:
        raise Invalid(f"SELFHEAL_POLICY: {path}: {error}") from error


def read_registry_credentials(path: Path | None) -> Mapping[str, str]:
    """The registries' passwords by host, none without a file. `Invalid` says what is wrong with the file."""
    if path is None:
        return {}
    try:
        return parse_credentials(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Invalid(f"SELFHEAL_REGISTRY_AUTH_FILE: {path}: {error}") from None


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    """A typo in a variable's name would otherwise be a setting that is silently not there."""
    known = [name.upper() for name in Settings.model_fields]
    for name, value in environment.items():
        bare = name.upper().removeprefix(PREFIX)
        is_ours = name.upper().startswith(PREFIX) and bare not in known
        is_link = SERVICE_LINK.fullmatch(name, len(PREFIX)) or (name.endswith("_PORT") and SERVICE_URL.match(value))
        if not is_ours or is_link:
            continue
        close = difflib.get_close_matches(bare, known, n=1)
        hint = f"did you mean {PREFIX}{close[0]}?" if close else f"there are {', '.join(PREFIX + one for one in known)}"
        raise Invalid(f"{name} is not a setting; {hint}")


def _explain(message: str, location: tuple[int | str, ...]) -> str:
    name = f"{PREFIX}{str(location[0]).upper()}: " if location else ""
    return name + message.removeprefix("Value error, ")


def _refuse_odd_url(variable: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        odd = parts.port == 0
    except ValueError:
        raise ValueError(f"{variable} is not a URL") from None
    if odd or parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{variable} must be like https://host/v1, without a query")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{variable} holds credentials; a key belongs in SELFHEAL_MODEL_KEY")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
