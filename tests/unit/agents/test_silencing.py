"""A fix that only silences is refused, whoever wrote it; and a secret never leaves in a diff."""

import pytest

from agents.patch import FileChange, Patch
from agents.policy import Background, RepositoryRule, decide, refuse_secrets, refuse_silencing
from agents.verification import Check, Verification

GREEN = Check(result="passed")
VERIFIED = Verification(
    kind="replay",
    verdict="verified",
    before=Check(result="failed"),
    after=GREEN,
    tests_before=GREEN,
    tests_after=GREEN,
)
IGNORING = {
    "a.py": ("x = load()\n", "try:\n    x = load()\nexcept KeyError:\n    pass\n"),
    "bare.py": ("x = load()\n", "try:\n    x = load()\nexcept:\n    ...\n"),
    "logs.py": (
        "x = load()\n",
        "try:\n    x = load()\nexcept E as error:\n    logger.warning('no %s', error)\n",
    ),
    "none.py": (
        "def f():\n    return g()\n",
        "def f():\n    try:\n        return g()\n    except E:\n        return None\n",
    ),
    "a.js": ("load();\n", "try { load(); } catch (e) { }\n"),
    "b.ts": ("load();\n", "try { load(); } catch (e: unknown) { console.error(e); return; }\n"),
    "A.java": (
        "class A { void f() { g(); } }\n",
        "class A { void f() { try { g(); } catch (Exception e) { // fine\n } } }\n",
    ),
    "A.kt": ("fun f() { g() }\n", "fun f() { try { g() } catch (e: Exception) { } }\n"),
    "A.cs": ("class A { void F() { G(); } }\n", "class A { void F() { try { G(); } catch { } } }\n"),
    "a.rb": ("load\n", "begin\n  load\nrescue KeyError\n  nil\nend\n"),
    "modifier.rb": ("x = load\n", "x = load rescue nil\n"),
    "a.php": ("<?php load();\n", "<?php try { load(); } catch (E $e) { }\n"),
    "at.php": ("<?php $x = load();\n", "<?php $x = @load();\n"),
    "a.go": ("func f() {\n\tg()\n}\n", "func f() {\n\tdefer func() { recover() }()\n\tg()\n}\n"),
    "drop.go": ("\tif err := g(); err != nil {\n\t\treturn err\n\t}\n", "\t_ = g()\n"),
    "a.rs": ("fn f() { g()?; }\n", "fn f() {\n    let _ = g();\n}\n"),
}


def patch_of(path: str, before: str | None, after: str | None) -> Patch:
    change = FileChange(path=path, before=before, after=after)
    return Patch(repository="r", commit="0" * 40, strategy="revert", why="", edits=(), changes=(change,))


def refused(path: str, before: str | None, after: str | None, **stable: str | None) -> list[str]:
    background = Background(stable={path: stable["stable"]} if stable else {})
    return list(refuse_silencing(patch_of(path, before, after), background))


@pytest.mark.parametrize("path", IGNORING)
def test_an_error_that_is_caught_and_ignored_is_no_fix(path: str) -> None:
    before, after = IGNORING[path]
    assert refused(path, before, after) == [
        f"`{path}` would catch an error and ignore it, which only silences the failure"
    ]
    assert refused(path, after, before) == []


@pytest.mark.parametrize("path", IGNORING)
def test_what_the_stable_version_ignores_already_may_come_back(path: str) -> None:
    before, after = IGNORING[path]
    assert refused(path, before, after, stable=after) == []


@pytest.mark.parametrize(
    ("path", "after"),
    [
        ("a.py", "try:\n    x = load()\nexcept KeyError:\n    x = DEFAULT\n"),
        ("a.py", "try:\n    x = load()\nexcept KeyError as error:\n    raise Missing(key) from error\n"),
        ("a.js", "try { load(); } catch (e) { useDefault(); }\n"),
        ("A.java", "class A { void f() { try { g(); } catch (Exception e) { throw new Bad(e); } } }\n"),
        ("a.go", "func f() error {\n\tif err := g(); err != nil {\n\t\treturn err\n\t}\n\treturn nil\n}\n"),
        ("a.rb", "begin\n  load\nrescue KeyError\n  use_default\nend\n"),
        ("notes.md", "try: / except: pass\n"),
    ],
)
def test_an_error_that_is_dealt_with_is_a_fix(path: str, after: str) -> None:
    assert refused(path, "", after) == []


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("def test_a():\n    assert f() == 1\n", "def test_a():\n    f()\n", "fewer assertions"),
        ("def test_a():\n    assert f() == 1\n", None, "fewer tests"),
        (
            "def test_a():\n    assert 1\n\ndef test_b():\n    assert 2\n",
            "def test_a():\n    assert 1\n",
            "fewer tests",
        ),
        (
            "def test_a():\n    assert f() == 1\n",
            "@pytest.mark.skip\ndef test_a():\n    assert f() == 1\n",
            "would skip a test",
        ),
    ],
)
def test_tests_are_not_weakened(before: str, after: str | None, says: str) -> None:
    (reason,) = refused("tests/test_f.py", before, after)
    assert says in reason
    assert refused("tests/test_f.py", before, after, stable=after) == []


def test_a_test_that_came_with_the_culprit_goes_with_it() -> None:
    new = "def test_new():\n    assert broken()\n"
    assert refused("tests/test_new.py", new, None, stable=None) == []


@pytest.mark.parametrize(
    ("path", "before", "after", "name"),
    [
        ("deploy.yaml", "memory: 128Mi\n", "memory: 1Gi\n", "memory"),
        ("app.py", "TIMEOUT_SECONDS = 5\n", "TIMEOUT_SECONDS = 60\n", "TIMEOUT_SECONDS"),
        ("analysis.yaml", "failureLimit: 1\n", "failureLimit: 100\n", "failureLimit"),
        ("config.json", '{"max_retries": 1}\n', '{"max_retries": 9}\n', "max_retries"),
    ],
)
def test_a_limit_is_raised_only_where_the_evidence_names_it(path: str, before: str, after: str, name: str) -> None:
    assert refused(path, before, after) == [f"`{path}` would raise {name}, which the evidence says nothing of"]
    assert refused(path, before, after, stable=after) == []
    assert refused(path, after, before) == []
    shown = Background(grounds=f"the container was OOMKilled; {name} is too low")
    assert list(refuse_silencing(patch_of(path, before, after), shown)) == []


def test_the_same_amount_in_another_unit_is_not_raised() -> None:
    assert refused("deploy.yaml", "memory: 1Gi\n", "memory: 1024Mi\n") == []
    assert refused("deploy.yaml", "memory: 1Gi\n", "memory: 512Mi\n") == []


@pytest.mark.parametrize(
    ("path", "after"),
    [
        ("app.py", 'KEY = "AKIAIOSFODNN7EXAMPLX"\n'),
        ("app.py", 'password = "hunter2-and-more"\n'),
        ("deploy.yaml", "env:\n  - name: DB_PASSWORD\n    value: correct-horse\n"),
        ("notes.md", "see https://ana:s3cr3tpass@db.example/x\n"),
        ("id", "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\n"),
    ],
)
def test_a_secret_does_not_leave_in_a_diff(path: str, after: str) -> None:
    assert list(refuse_secrets(patch_of(path, "x\n", after))) == [f"`{path}` would hold what looks like a secret"]
    assert list(refuse_secrets(patch_of(path, after, f"{after}more\n"))) == []
    assert list(refuse_secrets(patch_of(path, after, None))) == []


@pytest.mark.parametrize("by", ["revert", "restore", "model"])
def test_whoever_wrote_it_the_decision_is_a_report(by: str) -> None:
    before, after = IGNORING["a.py"]
    patch = patch_of("a.py", before, after).model_copy(update={"strategy": by})
    decision = decide(patch, VERIFIED, "high", RepositoryRule(match="*", mode="ready"), "ready")
    assert decision.action == "report"
    assert "only silences" in decision.reasons[0]
    secret = patch_of("app.py", "", 'password = "hunter2-and-more"\n').model_copy(update={"strategy": by})
    assert decide(secret, VERIFIED, "high", RepositoryRule(match="*"), "ready").action == "report"
