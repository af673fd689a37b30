import pytest

from agents.diagnosis import Confidence
from agents.errors import Invalid
from agents.patch import FileChange, Patch
from agents.policy import (
    Decision,
    RepositoryRule,
    decide,
    effective_mode,
    parse_policy,
    parse_repository_file,
    refuse_diff,
    refuse_path,
)
from agents.verification import Check, Verification
from agents.verification.nouns import Verdict

RULE = RepositoryRule(match="*")
CHECK = Check(result="not_run")


def patch_of(*paths: str, lines: int = 1) -> Patch:
    changes = tuple(FileChange(path=path, before="", after="x\n" * lines) for path in paths)
    return Patch(repository="r", commit="0" * 40, strategy="revert", why="", edits=(), changes=changes)


def verification(verdict: Verdict) -> Verification:
    return Verification(
        kind="replay", verdict=verdict, before=CHECK, after=CHECK, tests_before=CHECK, tests_after=CHECK
    )


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/ci.yml",
        ".GitHub/workflows/ci.yml",
        ".git/config",
        "sub/.GIT/hooks/pre-commit",
        "docs/CODEOWNERS",
        "poetry.lock",
        "web/package-lock.json",
        "deploy/app-secret.yaml",
        "deploy/SealedSecrets.yml",
        ".env",
        "conf/.env.production",
        "tls/server.pem",
        ".selfheal.yml",
        "../outside.py",
        "/etc/passwd",
        "a/../../b.py",
        "a//b.py",
        "a\\b.py",
        "a\nb.py",
        "",
    ],
)
def test_paths_that_ci_owners_or_secrets_live_in_are_denied(path: str) -> None:
    assert refuse_path(path, RULE)


@pytest.mark.parametrize("path", ["shop/app.py", "apps/shop/configmap.yaml", "src/locks.py", "environment.py"])
def test_ordinary_paths_are_not(path: str) -> None:
    assert refuse_path(path, RULE) is None


def test_the_servers_allow_lifts_a_denial_but_neither_deny_nor_git() -> None:
    rule = RepositoryRule(match="*", allow=("uv.lock", ".git/**", "gen/**"), deny=("gen/**",))
    assert refuse_path("uv.lock", rule) is None
    assert refuse_path(".git/config", rule)
    assert refuse_path("gen/a.py", rule)


@pytest.mark.parametrize(
    ("mode", "verdict", "confidence", "action"),
    [
        ("observe", "verified", "high", "report"),
        ("propose", "verified", "low", "draft"),
        ("ready", "verified", "low", "pull_request"),
        ("ready", "unverified", "high", "draft"),
        ("propose", "unverified", "high", "draft"),
        ("ready", "unverified", "medium", "report"),
        ("ready", "refuted", "high", "report"),
    ],
)
def test_the_table_of_modes(mode: str, verdict: str, confidence: str, action: str) -> None:
    decision: Decision = decide(patch_of("a.py"), verification(verdict), confidence, RULE, mode)  # type: ignore[arg-type]
    assert decision.action == action
    assert decision.reasons or action != "report"


def test_size_limits_and_denied_paths_win_over_a_verified_fix() -> None:
    rule = RepositoryRule(match="*", max_files=1, max_lines=3)
    assert decide(patch_of("a", "b"), verification("verified"), "high", rule, "ready").action == "report"
    assert decide(patch_of("a", lines=4), verification("verified"), "high", rule, "ready").action == "report"
    decision = decide(patch_of(".github/x"), verification("verified"), "high", rule, "ready")
    assert decision.action == "report"
    assert ".github/x" in decision.reasons[0]


def test_the_lowest_mode_wins_and_an_unknown_word_means_observe() -> None:
    rule = RepositoryRule(match="*", mode="ready")
    assert effective_mode(rule) == "ready"
    assert effective_mode(rule, "propose", "ready") == "propose"
    assert effective_mode(RepositoryRule(match="*"), "ready") == "propose"
    assert effective_mode(rule, "Ready!") == "observe"


def test_a_repository_without_an_entry_has_no_rule() -> None:
    policy = parse_policy("repositories: [{match: 'https://git.example/acme/*'}]")
    assert policy.rule("https://git.example/acme/shop")
    assert policy.rule("https://git.example.evil/acme/shop") is None
    assert parse_policy("").rule("anything") is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("repositories: [{match: x, modee: ready}]", "modee"),
        ("repositories: [{match: x, mode: always}]", "mode"),
        ("repositories: [{mode: ready}]", "match"),
        ("repository: []", "repository"),
        ("a: [", "YAML"),
        ("- just\n- a list", "policy"),
        ("[]", "policy"),
        ("false", "policy"),
        ("repositories: [{match: 2026-13-45}]", "policy"),
        ("[" * 900, "policy"),
    ],
)
def test_a_wrong_policy_is_refused_by_name(text: str, names: str) -> None:
    with pytest.raises(Invalid, match=names):
        parse_policy(text)


@pytest.mark.parametrize(
    ("confidence", "verdict", "reasons"),
    [
        ("high", "refuted", ("the fix did not remove the failure",)),
        ("medium", "unverified", ("not verified, and the confidence is only medium",)),
    ],
)
def test_a_report_says_why_it_is_not_more(confidence: Confidence, verdict: Verdict, reasons: tuple[str, ...]) -> None:
    assert decide(patch_of("a.py"), verification(verdict), confidence, RULE, "ready").reasons == reasons


def test_an_empty_diff_is_never_proposed_even_in_the_most_open_mode() -> None:
    decision = decide(patch_of(), verification("verified"), "high", RULE, "ready")
    assert (decision.action, decision.reasons) == ("report", ("the diff is empty",))


def test_commands_are_split_without_a_shell() -> None:
    file = parse_repository_file("run: python3 -m shop --port {port} --name 'a b; rm -rf /'")
    assert file.commands.run == ("python3", "-m", "shop", "--port", "{port}", "--name", "a b; rm -rf /")
    assert parse_repository_file("run: x\nverify: none").commands.off
    with pytest.raises(Invalid, match="run"):
        parse_repository_file("run: ''")
    with pytest.raises(Invalid, match="run"):
        parse_repository_file('run: python3 "unclosed')


@pytest.mark.parametrize("swapped", [False, True], ids=["to another pointer or text", "from text to a pointer"])
def test_a_pointer_of_git_lfs_is_left_to_people(*, swapped: bool) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 1\n"
    before, after = ("{}\n", pointer) if swapped else (pointer, "{}\n")
    patch = patch_of("a.py").model_copy(
        update={"changes": (FileChange(path="rates.json", before=before, after=after),)}
    )
    assert list(refuse_diff(patch, RULE)) == ["`rates.json` is kept by Git LFS: what is in it is a person's to change"]
