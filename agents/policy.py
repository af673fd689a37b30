"""What may leave the service: the server's policy, the repository's own file, and the decision on a diff.

Deny by default and in code, whatever produced the diff: a repository without an entry is not touched, a path
that CI or a build would run is not changed. `.selfheal.yml` is read from the trusted base commit and can only
narrow what the server allows.
"""

import fnmatch
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agents.diagnosis import Confidence
from agents.errors import Invalid
from agents.patch import Patch
from agents.provenance import ImageRule, spellings
from agents.verification import Commands, Verification

Mode = Literal["observe", "propose", "ready"]
MODES: tuple[Mode, ...] = ("observe", "propose", "ready")
"""From the least that leaves the service to the most; the lowest of all that are said wins."""

DENIED = (
    ".git/**",
    ".github/**",
    ".gitlab-ci.yml",
    ".gitlab/**",
    ".circleci/**",
    ".buildkite/**",
    ".ci/**",
    ".travis.yml",
    ".drone.yml",
    "Jenkinsfile",
    "azure-pipelines*.yml",
    "bitbucket-pipelines.yml",
    "CODEOWNERS",
    ".selfheal.yml",
    "*.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "go.sum",
    "requirements.lock",
    ".env",
    ".env.*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "id_rsa*",
    "id_ed25519*",
    ".npmrc",
    ".pypirc",
    ".netrc",
    "*secret*.yaml",
    "*secret*.yml",
    "*credential*",
)
"""Paths no diff may touch unless the server policy's `allow` names them; a name without / counts in any folder."""


class RepositoryRule(BaseModel):
    """One entry of `repositories` in the server policy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str = Field(description="Repository URL; `*` and `?` are wildcards. The first match counts.")
    mode: Mode = Field(default="propose", description="The most that this service may do here.")
    base: str | None = Field(default=None, description="Branch to propose against; else the default branch.")
    deny: tuple[str, ...] = Field(default=(), description="Paths no diff may touch; `**` spans folders.")
    allow: tuple[str, ...] = Field(
        default=(), description="Paths taken out of the built-in denials; `deny` and `.git` still win."
    )
    max_files: int = Field(default=10, ge=1, description="Most files of one pull request.")
    max_lines: int = Field(default=400, ge=1, description="Most added plus removed lines.")


class Policy(BaseModel):
    """The server policy, `policy.yaml`. A repository without an entry is not allowed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repositories: tuple[RepositoryRule, ...] = Field(
        default=(), description="The repositories that may be read and changed; the first match counts."
    )
    images: tuple[ImageRule, ...] = Field(
        default=(), description="The source repositories of images that say nothing of it themselves."
    )

    def rule(self, url: str) -> RepositoryRule | None:
        """The entry that speaks for a repository, None where it is not allowed."""
        for rule in self.repositories:
            if fnmatch.fnmatchcase(url, rule.match):
                return rule
        return None

    def listed(self, url: str) -> str | None:
        """The spelling of a repository's URL that has an entry, None where none has."""
        return next((spelling for spelling in spellings(url) if self.rule(spelling) is not None), None)


class RepositoryFile(BaseModel):
    """`.selfheal.yml` of a source repository, read from the trusted base commit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str | None = Field(default=None, description="Starts the service; `{port}` is filled in.")
    setup: str | None = Field(default=None, description="Prepares the tree, without network, before run and test.")
    test: str | None = Field(default=None, description="Runs the repository's own tests.")
    verify: Literal["sandbox", "none"] = Field(default="sandbox", description="`none`: run nothing of this repository.")
    mode: Mode | None = Field(default=None, description="Lowers the server's mode.")

    @field_validator("run", "setup", "test")
    @classmethod
    def _must_split(cls, value: str | None) -> str | None:
        if value is not None and not shlex.split(value):
            raise ValueError("the command is empty")
        return value

    @property
    def commands(self) -> Commands:
        if self.verify == "none":
            return Commands(off=".selfheal.yml says `verify: none`")
        return Commands(run=_split(self.run), setup=_split(self.setup), test=_split(self.test))


def _split(command: str | None) -> tuple[str, ...]:
    return tuple(shlex.split(command)) if command else ()


def parse_policy(text: str) -> Policy:
    """The server policy from YAML; `Invalid` names the key and what it should be."""
    return Policy.model_validate(_load(text, Policy, "policy"))


def parse_repository_file(text: str) -> RepositoryFile:
    """`.selfheal.yml` from YAML; `Invalid` names the key and what it should be."""
    return RepositoryFile.model_validate(_load(text, RepositoryFile, ".selfheal.yml"))


def _load(text: str, model: type[BaseModel], name: str) -> Any:
    try:
        document = YAML(typ="safe", pure=True).load(text)
        document = {} if document is None else document
        model.model_validate(document)
    except (YAMLError, RecursionError) as error:
        raise Invalid(f"{name} is not YAML: {' '.join(str(error).split())[:200]}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        known = ", ".join(sorted(model.model_fields))
        hint = f"; the keys are {known}" if first["type"] == "extra_forbidden" else ""
        raise Invalid(f"{name}: {where}: {first['msg']}{hint}") from error
    except ValueError as error:  # a date or number that is none
        raise Invalid(f"{name} holds a value that cannot be read: {error}") from error
    return document


def effective_mode(rule: RepositoryRule, *narrower: str | None) -> Mode:
    """The lowest of the server's mode and what repository file and annotation say.

    A word that is no mode lowers it to `observe`: whoever wrote it wanted to say something, and doing less is safe.
    """
    said = [_mode(word) for word in narrower if word is not None]
    return min([rule.mode, *said], key=MODES.index)


def _mode(word: str) -> Mode:
    return next((mode for mode in MODES if mode == word), "observe")


class Decision(BaseModel):
    """What the graph does with a patch. `reasons` says why it is less than the mode allows."""

    model_config = ConfigDict(frozen=True)

    action: Literal["pull_request", "draft", "report"]
    reasons: tuple[str, ...] = ()


def decide(
    patch: Patch, verification: Verification, confidence: Confidence, rule: RepositoryRule, mode: Mode
) -> Decision:
    """Apply the policy to the final diff, then the table of DESIGN section 5."""
    refusals = tuple(refuse_diff(patch, rule))
    if refusals:
        return Decision(action="report", reasons=refusals)
    if mode == "observe":
        return Decision(action="report", reasons=("the mode is `observe`: nothing leaves the service",))
    if verification.verdict == "refuted":
        return Decision(action="report", reasons=verification.unchecked or ("the fix did not remove the failure",))
    if verification.verdict == "verified":
        return Decision(action="pull_request" if mode == "ready" else "draft")
    if confidence == "high":
        return Decision(action="draft", reasons=verification.unchecked)
    return Decision(
        action="report",
        reasons=(f"not verified, and the confidence is only {confidence}", *verification.unchecked),
    )


def refuse_diff(patch: Patch, rule: RepositoryRule) -> Iterable[str]:
    """The reasons why this diff may not be proposed; empty when it may."""
    if not patch.changes:
        yield "the diff is empty"
    if len(patch.changes) > rule.max_files:
        yield f"{len(patch.changes)} files are more than the {rule.max_files} that the policy allows"
    if patch.changed_lines > rule.max_lines:
        yield f"{patch.changed_lines} changed lines are more than the {rule.max_lines} that the policy allows"
    for change in patch.changes:
        reason = refuse_path(change.path, rule)
        if reason:
            yield reason


def refuse_path(path: str, rule: RepositoryRule) -> str | None:
    """Why a path may not be touched, or None."""
    parts = path.split("/")
    odd = any(part in {"", ".", ".."} for part in parts) or re.search(r"[\x00-\x1f\\]", path)
    if odd or any(part.lower() == ".git" for part in parts):
        return f"{path!r} is not a path inside the repository"
    if _matches(path, rule.deny):
        return f"`{path}` is denied by the server policy"
    if _matches(path, DENIED) and not _matches(path, rule.allow):
        return f"`{path}` is denied by default: CI, lock files, owners and secrets are left to people"
    return None


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(_pattern(pattern).fullmatch(path) for pattern in patterns)


def _pattern(glob: str) -> re.Pattern[str]:
    """A gitignore-like glob: no / matches in any folder, `**` spans folders, case does not matter."""
    anchored = glob if "/" in glob else f"**/{glob}"
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    tokens = re.split(r"(\*\*/|\*\*|\*|\?)", anchored)
    return re.compile("".join(wild.get(token, re.escape(token)) for token in tokens), re.IGNORECASE)
