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
from agents.patch import FileChange, Patch
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

RUN_AT_SET_UP = (
    *("setup.py", "setup.cfg", "pyproject.toml", "*.pth", "sitecustomize.py", "usercustomize.py", "hatch_build.py"),
    *("conftest.py", "noxfile.py", "tox.ini", "pytest.ini", "fabfile.py", "dodo.py"),
    *("requirements*.txt", "requirements*.in", "constraints*.txt", "Pipfile", "pip.conf", "uv.toml"),
    *(
        "package.json",
        ".npmrc",
        ".yarnrc*",
        ".yarn/**",
        ".pnpmfile.*",
        "pnpm-workspace.yaml",
        ".mocharc*",
        "Gruntfile*",
    ),
    *("*.config.js", "*.config.cjs", "*.config.mjs", "*.config.ts", "gulpfile*", ".eslintrc*", ".babelrc*", "*.gyp"),
    *("*.gradle", "*.gradle.kts", "gradle.properties", "gradlew*", "gradle/**", "buildSrc/**", "pom.xml", "mvnw*"),
    *(".mvn/**", "build.xml", "*.sbt", "build.rs", "Cargo.toml", ".cargo/**", "go.mod", "go.work", "mix.exs"),
    *(
        "Gemfile",
        "*.gemspec",
        "Rakefile",
        ".rspec",
        "composer.json",
        "*.csproj",
        "*.props",
        "*.targets",
        "NuGet.config",
    ),
    *("Makefile", "*.mk", "GNUmakefile", "CMakeLists.txt", "*.cmake", "meson.build", "BUILD", "BUILD.bazel", "*.bzl"),
    *("WORKSPACE*", "MODULE.bazel", ".bazelrc", "justfile", "Taskfile.*", "magefile.go", "Tiltfile", "Earthfile"),
    *(
        "Dockerfile",
        "Dockerfile.*",
        "Dockerfile-*",
        "*.Dockerfile",
        "Containerfile",
        ".dockerignore",
        "docker-compose*",
        "compose*.y*ml",
        "*.tf",
    ),
    *("*.sh", "*.bash", "*.zsh", "*.ps1", "*.bat", "*.cmd", ".envrc", ".husky/**", ".githooks/**", ".devcontainer/**"),
    *(".pre-commit-config.yaml", "lefthook.y*ml", ".gitattributes", ".gitmodules", ".gitconfig", ".vscode/**"),
    *(".selfheal.yml", "migrations/**", "**/migrations/**", "alembic/**", "**/alembic/**", "db/migrate/**"),
)
"""What is run at install, build or test set-up, or on a database: a pushed branch runs it, with the secrets of CI,
before a person has read it. Denied to diffs that a model wrote unless the base branch's `.selfheal.yml` allows it."""
INTERPRETER = re.compile(r"#!|\ufeff#!")
TEST = re.compile(
    r"(?:^|/)(?:tests?|__tests__|testing|specs?|e2e)/|(?:^|/)test_[^/]*$|[._-](?:test|spec)s?\.[^/]+$|[a-z](?:Test|IT|Spec)s?\.\w+$"
)


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


class Decision(BaseModel):
    """What the graph does with a patch. `reasons` says why it is less than the mode allows."""

    model_config = ConfigDict(frozen=True)

    action: Literal["pull_request", "draft", "report"]
    reasons: tuple[str, ...] = ()


class ModelTerms(BaseModel):
    """What a diff that a model wrote must keep to besides, read from the trusted base commit."""

    model_config = ConfigDict(frozen=True)

    allow: tuple[str, ...] = ()
    """`allow` of `.selfheal.yml`."""
    paths: frozenset[str] = frozenset()
    """Every file of the commit."""


STRICTEST = ModelTerms()


def decide(
    patch: Patch,
    verification: Verification,
    confidence: Confidence,
    rule: RepositoryRule,
    mode: Mode,
    terms: ModelTerms = STRICTEST,
) -> Decision:
    """Apply the policy to the final diff, then the table of DESIGN section 5.

    A diff that a model wrote keeps to `terms` too, and is pushed only when it is verified.
    """
    refusals = (*refuse_diff(patch, rule), *(refuse_written_diff(patch, terms) if patch.by_model else ()))
    if refusals:
        return Decision(action="report", reasons=refusals)
    if mode == "observe":
        return Decision(action="report", reasons=("the mode is `observe`: nothing leaves the service",))
    if verification.verdict == "refuted":
        return Decision(action="report", reasons=verification.unchecked or ("the fix did not remove the failure",))
    if verification.verdict == "verified":
        return Decision(action="pull_request" if mode == "ready" else "draft")
    if confidence == "high" and not patch.by_model:
        return Decision(action="draft", reasons=verification.unchecked)
    why = "a model wrote this change" if patch.by_model else f"the confidence is only {confidence}"
    return Decision(action="report", reasons=(f"not verified, and {why}", *verification.unchecked))


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
    if not is_inside(path):
        return f"{path!r} is not a path inside the repository"
    if _matches(path, rule.deny):
        return f"`{path}` is denied by the server policy"
    if _matches(path, DENIED) and not _matches(path, rule.allow):
        return f"`{path}` is denied by default: CI, lock files, owners and secrets are left to people"
    return None


def is_inside(path: str) -> bool:
    """Whether a path is one of a file inside the repository, in its one plain spelling."""
    parts = path.split("/")
    odd = any(part in {"", ".", ".."} for part in parts) or "\\" in path or not path.isprintable()
    return not odd and not any(part.lower() == ".git" for part in parts)


def refuse_written_diff(patch: Patch, terms: ModelTerms) -> Iterable[str]:
    """The reasons why a diff may not be proposed when a model wrote it; `refuse_diff` holds besides."""
    for change in patch.changes:
        reason = refuse_written_path(change.path, terms) or refuse_script(change, terms) or refuse_test(change, terms)
        if reason:
            yield reason


def refuse_written_path(path: str, terms: ModelTerms) -> str | None:
    """Why a model may not touch a path that others may, or None."""
    if _matches(path, RUN_AT_SET_UP) and not _matches(path, terms.allow):
        return f"`{path}` runs at install, build or test set-up: not for a model, unless .selfheal.yml allows it"
    return None


def refuse_script(change: FileChange, terms: ModelTerms) -> str | None:
    """Why a model may not touch a script that has no telling name, or None."""
    is_script = any(INTERPRETER.match(text) for text in (change.before, change.after) if text)
    if is_script and "." not in change.path.rpartition("/")[2] and not _matches(change.path, terms.allow):
        return f"`{change.path}` is a script: not for a model, unless .selfheal.yml allows it"
    return None


def refuse_test(change: FileChange, terms: ModelTerms) -> str | None:
    """Why a model may not add or delete a test here, or None. Where tests lie already, people expect one and run it."""
    path, folder = change.path, change.path.rpartition("/")[0]
    if not TEST.search(path):
        return None
    if change.after is None:
        return f"`{path}` is a test, which is not a model's to delete"
    if change.before is None and not any(TEST.search(one) and one.rpartition("/")[0] == folder for one in terms.paths):
        return f"`{path}` would be a test where there are none yet"
    return None


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(_pattern(pattern).fullmatch(path) for pattern in patterns)


def _pattern(glob: str) -> re.Pattern[str]:
    """A gitignore-like glob: no / matches in any folder, `**` spans folders, case does not matter."""
    anchored = glob if "/" in glob else f"**/{glob}"
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    tokens = re.split(r"(\*\*/|\*\*|\*|\?)", anchored)
    return re.compile("".join(wild.get(token, re.escape(token)) for token in tokens), re.IGNORECASE)
