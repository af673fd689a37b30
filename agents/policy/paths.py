"""Which paths a diff may touch. Deny by default: what CI or a build would run is not changed."""

import re
from collections.abc import Sequence

from agents.policy.rules import RepositoryRule
from agents.policy.terms import ModelTerms

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


def refuse_path(path: str, rule: RepositoryRule) -> str | None:
    """Why a path may not be touched, or None."""
    if not is_inside(path):
        return f"{path!r} is not a path inside the repository"
    if matches(path, rule.deny):
        return f"`{path}` is denied by the server policy"
    if matches(path, DENIED) and not matches(path, rule.allow):
        return f"`{path}` is denied by default: CI, lock files, owners and secrets are left to people"
    return None


def is_inside(path: str) -> bool:
    """Whether a path is one of a file inside the repository, in its one plain spelling."""
    parts = path.split("/")
    odd = any(part in {"", ".", ".."} for part in parts) or "\\" in path or not path.isprintable()
    return not odd and not any(part.lower() == ".git" for part in parts)


def refuse_written_path(path: str, terms: ModelTerms) -> str | None:
    """Why a model may not touch a path that others may, or None."""
    if matches(path, RUN_AT_SET_UP) and not matches(path, terms.allow):
        return f"`{path}` runs at install, build or test set-up: not for a model, unless .selfheal.yml allows it"
    return None


def matches(path: str, patterns: Sequence[str]) -> bool:
    return any(_pattern(pattern).fullmatch(path) for pattern in patterns)


def _pattern(glob: str) -> re.Pattern[str]:
    """A gitignore-like glob: no / matches in any folder, `**` spans folders, case does not matter."""
    anchored = glob if "/" in glob else f"**/{glob}"
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    tokens = re.split(r"(\*\*/|\*\*|\*|\?)", anchored)
    return re.compile("".join(wild.get(token, re.escape(token)) for token in tokens), re.IGNORECASE)
