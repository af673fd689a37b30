"""The server's policy and the repository's own file: what they may say, and how they are read.

`.selfheal.yml` is read from the trusted base commit and can only narrow what the server allows.
"""

import fnmatch
import shlex
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agents.errors import Invalid
from agents.provenance import ImageRule, spellings
from agents.verification import Commands

Mode = Literal["observe", "propose", "ready"]
MODES: tuple[Mode, ...] = ("observe", "propose", "ready")
"""From the least that leaves the service to the most; the lowest of all that are said wins."""


Label = Annotated[str, Field(min_length=1, max_length=50)]
Account = Annotated[str, Field(pattern=r"^@?[A-Za-z0-9][A-Za-z0-9_-]{0,38}(/[A-Za-z0-9._-]{1,100})?$")]


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
    max_open: int = Field(default=3, ge=1, description="Most pull requests of this service that are open at once.")
    labels: tuple[Label, ...] = Field(
        default=("self-healing",),
        description="Labels of a new pull request, made where the repository has none of the name. One that a person "
        "takes off stays off.",
    )
    max_reviewers: int = Field(
        default=3,
        ge=0,
        le=10,
        description="Most people and teams who are asked to review a new pull request: those that `.selfheal.yml` "
        "names, the author of the commit that broke it, code owners. 0 asks nobody.",
    )
    max_attempts: int = Field(
        default=2,
        ge=1,
        description="Merged fixes that may fail in canaries, one after the other, before a person is asked.",
    )


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
    reviewers: tuple[Account, ...] = Field(
        default=(), description="Accounts, and teams as `organisation/team`, that are asked first to review."
    )
    allow: tuple[str, ...] = Field(
        default=(),
        description="Paths that are run at install, build or test set-up, and that a model may change all the same. "
        "What the server policy denies stays denied.",
    )

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
