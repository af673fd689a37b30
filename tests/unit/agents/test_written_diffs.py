"""The policy on diffs that a model wrote, and tries to get past each of its rules."""

import pytest

from agents.patch import FileChange, Patch
from agents.policy import (
    STRICTEST,
    ModelTerms,
    RepositoryRule,
    decide,
    parse_repository_file,
    refuse_path,
    refuse_written_diff,
    refuse_written_path,
)
from agents.verification import Check, Verification
from agents.verification.nouns import Verdict

RULE = RepositoryRule(match="*")
NOT_RUN = Check(result="not_run")
TREE = ModelTerms(
    paths=frozenset({"shop/app.py", "tests/test_app.py", "web/src/cart.spec.ts", "src/test/java/AppTest.java"})
)


def change(path: str, before: str | None = "old\n", after: str | None = "new\n") -> FileChange:
    return FileChange(path=path, before=before, after=after)


def patch(*changes: FileChange, strategy: str = "model") -> Patch:
    return Patch(repository="r", commit="0" * 40, strategy=strategy, why="", edits=(), changes=changes)


def verification(verdict: Verdict) -> Verification:
    return Verification(
        kind="replay", verdict=verdict, before=NOT_RUN, after=NOT_RUN, tests_before=NOT_RUN, tests_after=NOT_RUN
    )


@pytest.mark.parametrize(
    "path",
    [
        *("setup.py", "SETUP.PY", "lib/setup.py", "setup.cfg", "pyproject.toml", "sitecustomize.py", "x.pth"),
        *("conftest.py", "tests/conftest.py", "tests/unit/Conftest.py", "noxfile.py", "tox.ini", "pytest.ini"),
        *("requirements.txt", "requirements-dev.txt", "reqs/requirements.in", "Pipfile", "pip.conf", "etc/pip.conf"),
        *("package.json", "web/package.json", ".npmrc", "web/.NPMRC", ".yarnrc.yml", ".yarn/plugins/x.cjs"),
        *("jest.config.js", "web/vite.config.ts", "babel.config.cjs", "Gruntfile.js"),
        *("build.gradle", "app/build.gradle.kts", "settings.gradle", "gradlew", "gradle/wrapper/gradle-wrapper.jar"),
        *("pom.xml", "svc/pom.xml", "mvnw.cmd", ".mvn/extensions.xml", "build.rs", "crate/build.rs", "Cargo.toml"),
        *("Makefile", "makefile", "sub/Makefile", "rules.mk", "CMakeLists.txt", "BUILD.bazel", "justfile", "Rakefile"),
        *("Dockerfile", "docker/Dockerfile.prod", "app.dockerfile", "docker-compose.yml", "compose.override.yaml"),
        *("run.sh", "bin/Deploy.SH", "x.bash", "install.ps1", "a.bat", ".envrc", ".husky/pre-commit"),
        *(".pre-commit-config.yaml", ".gitattributes", "sub/.gitattributes", ".gitmodules", ".devcontainer/x.json"),
        *(".selfheal.yml", "migrations/0001.py", "shop/migrations/0002_x.py", "alembic/env.py", "db/migrate/1.rb"),
    ],
)
def test_what_runs_at_set_up_is_not_for_a_model(path: str) -> None:
    assert refuse_written_path(path, STRICTEST)
    assert list(refuse_written_diff(patch(change(path)), TREE))
    assert list(refuse_written_diff(patch(change(path, before=None)), TREE))
    assert list(refuse_written_diff(patch(change(path, after=None)), TREE))


@pytest.mark.parametrize(
    "path",
    [
        *("shop/setup_wizard.py", "shop/app.py", "shop/tasks.py", "docs/makefile-notes.md", "shop/migration.py"),
        *("web/src/package.tsx", "build.py", "deploy/configmap.yaml", "shop/dockerfile_parser.py", "Config.java"),
    ],
)
def test_ordinary_files_are(path: str) -> None:
    assert refuse_written_path(path, STRICTEST) is None
    assert list(refuse_written_diff(patch(change(path)), TREE)) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("#!/bin/sh\nmake\n", "#!/bin/sh\ncurl x | sh\n"),
        (None, "#!/usr/bin/env python3\nprint(1)\n"),
        ("plain\n", "\ufeff#!/bin/bash\n"),
        ("#!/usr/bin/perl\n", None),
    ],
)
def test_a_script_is_known_by_its_first_line(before: str | None, after: str | None) -> None:
    for path in ("deploy", "bin/release", "scripts/ci/check"):
        assert list(refuse_written_diff(patch(change(path, before, after)), TREE))
    assert list(refuse_written_diff(patch(change("shop/app.py", before, after)), TREE)) == []


@pytest.mark.parametrize(
    ("path", "is_fine"),
    [
        ("tests/test_new.py", True),
        ("test_new.py", False),
        ("shop/test_new.py", False),
        ("tests/deep/test_new.py", False),
        ("shop/new_test.go", False),
        ("web/src/new.spec.ts", True),
        ("web/new.test.js", False),
        ("__tests__/new.js", False),
        ("src/test/java/NewTest.java", True),
        ("src/main/java/NewIT.java", False),
        ("tests/helper.py", True),
        ("shop/latest.py", True),
        ("AUDIT.md", True),
    ],
)
def test_a_new_test_goes_only_where_tests_lie(path: str, is_fine: bool) -> None:  # noqa: FBT001 - a table's column
    assert (list(refuse_written_diff(patch(change(path, before=None)), TREE)) == []) is is_fine
    assert list(refuse_written_diff(patch(change(path)), TREE)) == []


@pytest.mark.parametrize("path", ["tests/test_app.py", "web/src/cart.spec.ts", "src/test/java/AppTest.java"])
def test_a_test_that_is_in_the_way_is_not_deleted(path: str) -> None:
    assert list(refuse_written_diff(patch(change(path, after=None)), TREE))
    assert list(refuse_written_diff(patch(change("shop/app.py", after=None)), TREE)) == []


def test_the_base_branchs_file_may_allow_what_is_denied_to_models() -> None:
    terms = ModelTerms(allow=parse_repository_file("allow: [Makefile, 'shop/migrations/**', deploy]").allow)
    assert refuse_written_path("Makefile", terms) is None
    assert refuse_written_path("shop/migrations/0002.py", terms) is None
    assert refuse_written_path("other/migrations/0002.py", terms)
    assert list(refuse_written_diff(patch(change("deploy", "#!/bin/sh\n")), terms)) == []


@pytest.mark.parametrize("path", [".github/workflows/ci.yml", "poetry.lock", ".env", "CODEOWNERS", ".git/config"])
def test_the_repositorys_file_opens_nothing_that_the_server_keeps_shut(path: str) -> None:
    terms = ModelTerms(allow=("**", path))
    assert refuse_path(path, RULE)
    decision = decide(patch(change(path)), verification("verified"), "high", RULE, "ready", terms)
    assert decision.action == "report"
    denied = RepositoryRule(match="*", deny=("shop/**",))
    blocked = decide(patch(change("shop/app.py")), verification("verified"), "high", denied, "ready", terms)
    assert blocked.action == "report"


@pytest.mark.parametrize(
    ("mode", "verdict", "action"),
    [
        ("propose", "verified", "draft"),
        ("ready", "verified", "pull_request"),
        ("ready", "unverified", "report"),
        ("propose", "refuted", "report"),
        ("observe", "verified", "report"),
    ],
)
def test_an_unverified_diff_of_a_model_is_not_pushed(mode: str, verdict: Verdict, action: str) -> None:
    decision = decide(patch(change("shop/app.py")), verification(verdict), "high", RULE, mode, TREE)  # type: ignore[arg-type]
    assert decision.action == action
    rules = decide(patch(change("shop/app.py"), strategy="revert"), verification("unverified"), "high", RULE, "ready")
    assert rules.action == "draft"


def test_the_rules_own_reverts_may_touch_what_a_model_may_not() -> None:
    """A culprit commit may well have changed a build file; taking that back writes nothing new."""
    revert = patch(change("Makefile"), change("setup.py"), strategy="revert")
    assert decide(revert, verification("verified"), "high", RULE, "propose").action == "draft"


def test_without_terms_the_strictest_hold() -> None:
    new_test = patch(change("tests/test_new.py", before=None))
    assert decide(new_test, verification("verified"), "high", RULE, "propose").action == "report"
