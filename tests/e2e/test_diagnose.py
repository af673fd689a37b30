"""`selfheal diagnose` as people run it: a process with files, a repository and nothing else."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents.evidence import Bundle, to_files
from tests.scratch import WHO, Scratch
from tests.shop import APP, BASE, BROKEN, QUIET, TRACE, bundle_of

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-P", "-m", "app.cli", "diagnose"]
KEYS = ["category", "summary", "confidence", "location", "culprit_commit", "suspects", "claims", "strategy"]
OFFLINE = """
import socket, sys
def refuse(*args, **kwargs): raise OSError("no network in this test")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from app.cli import main
main()
"""


@dataclass(frozen=True)
class Ground:
    """A repository whose third commit broke the prices, with logs and bundles of it."""

    source: Scratch
    folder: Path

    @property
    def culprit(self) -> str:
        return self.source.shas[3]

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def bundle(self, name: str, bundle: Bundle | None = None) -> Path:
        found = bundle or bundle_of(commits=(self.source.shas[0], self.source.shas[-1]))
        for path, text in to_files(found).items():
            place = self.folder / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        return self.folder / name

    def logs(self, canary: str | bytes = TRACE, stable: str | None = QUIET) -> list[str]:
        words = ["--canary-log", str(self.write("canary.log", canary))]
        words += ["--stable-log", str(self.write("stable.log", stable))] if stable is not None else []
        shas = self.source.shas
        return [*words, "--repo", str(self.source.path), "--stable", shas[0], "--canary", shas[-1], "--json"]


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    source = Scratch(tmp_path / "source.git")
    source.commit("Start", BASE)
    source.commit("Describe the shop", {"README.md": "# Shop\n\nSells tea.\n"})
    source.commit("Greet at start", {"shop/app.py": APP + '\n\ndef hello():\n    print("hello")\n'})
    source.commit("Drop the default price", {"shop/prices.py": BROKEN})
    source.commit("Sell water", {"shop/prices.py": BROKEN.replace('"coffee": 4', '"coffee": 4, "water": 1')})
    source.commit("Test the greeting", {"tests/test_app.py": "def test_price():\n    assert True\n"})
    return Ground(source, tmp_path)


def run(*words: str, command: list[str] = COMMAND) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}
    return subprocess.run(
        [*command, *words], env=env, cwd="/", capture_output=True, text=True, timeout=120, check=False
    )


def answer(*words: str, command: list[str] = COMMAND) -> dict[str, Any]:
    done = run(*words, command=command)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert list(document) == KEYS
    return document


def check_prices(document: Mapping[str, Any], ground: Ground) -> None:
    assert (document["category"], document["confidence"], document["strategy"]) == ("code", "high", "revert")
    assert document["location"] == {"file": "shop/prices.py", "line": 8, "function": "price"}
    assert document["culprit_commit"] == ground.culprit
    first = document["suspects"][0]
    assert list(first) == ["file", "line", "function", "commit", "score", "why"]
    assert (first["file"], first["commit"]) == ("shop/prices.py", ground.culprit)
    assert "TypeError" in document["claims"][0]["evidence"][0]["quote"]


def test_a_bundle_as_a_folder_and_as_an_archive_gives_the_same_answer(ground: Ground) -> None:
    folder = ground.bundle("bundle")
    archives = {}
    for name, top in (("flat.tar.gz", ""), ("nested.tar.gz", "incident-1/"), ("plain.tar", "")):
        archives[name] = ground.folder / name
        with tarfile.open(archives[name], "w:gz" if name.endswith("gz") else "w") as archive:
            for path in sorted(one for one in folder.rglob("*") if one.is_file()):
                archive.add(path, arcname=f"{top}{path.relative_to(folder)}")
    documents = [
        answer(str(bundle), "--repo", str(ground.source.path), "--json") for bundle in (folder, *archives.values())
    ]
    check_prices(documents[0], ground)
    assert all(document == documents[0] for document in documents)


def test_two_logs_and_two_revisions_are_enough_and_no_network_is_used(ground: Ground) -> None:
    check_prices(answer(*ground.logs(), command=[sys.executable, "-P", "-c", OFFLINE, "diagnose"]), ground)
    check_prices(answer(*ground.logs(stable=None)), ground)


def test_a_cause_in_a_log_that_is_far_too_long_for_a_bundle_is_found(ground: Ground) -> None:
    noise = "".join(f"2026-11-24 12:00:00 ERROR relay {at} timed out, {'tried again ' * 9}\n" for at in range(22_000))
    check_prices(answer(*ground.logs(canary=noise + TRACE + noise * 2, stable=noise[: len(noise) // 20])), ground)


def test_short_revisions_and_branches_are_answered_with_full_ids(ground: Ground) -> None:
    words = ground.logs()
    words[words.index("--stable") + 1] = ground.source.shas[0][:8]
    words[words.index("--canary") + 1] = "main"
    check_prices(answer(*words), ground)


def test_a_repository_with_a_work_tree_is_read_at_the_commits_and_never_written(ground: Ground) -> None:
    clone = ground.folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ground.source.path), str(clone)], env=WHO, check=True)
    (clone / "shop" / "prices.py").write_text("not what was deployed\n")
    before = [fingerprint(place) for place in (clone, ground.source.path)]
    words = ground.logs()
    words[words.index("--repo") + 1] = str(clone)
    check_prices(answer(*words), ground)
    check_prices(answer(*ground.logs()), ground)
    assert [fingerprint(place) for place in (clone, ground.source.path)] == before


def fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.relative_to(folder)} {path.stat().st_mtime_ns} {path.stat().st_mode}".encode() + content)
    return digest.hexdigest()


def test_a_fault_behind_a_merge_and_a_rename_is_found(ground: Ground) -> None:
    source = Scratch(ground.folder / "merged.git")
    base = source.commit("Start", BASE)
    source.git("update-ref", "refs/heads/side", base)
    culprit = source.commit("Drop the default price", {"shop/prices.py": BROKEN}, branch="side")
    moved = {"shop/prices.py": None, "shop/money.py": BROKEN, "shop/app.py": APP.replace("shop.prices", "shop.money")}
    side = source.commit("Call it money", moved, branch="side")
    main = source.commit("Describe the shop", {"README.md": "# Shop\n\nSells tea.\n"})
    source.git("read-tree", side)
    blob = source.listed("main")["README.md"][1]
    source.run("update-index", "--index-info", stdin=f"100644 {blob}\tREADME.md\n".encode())
    merge = source.git("commit-tree", source.git("write-tree"), "-p", main, "-p", side, "-m", "Merge money")
    source.git("update-ref", "refs/heads/main", merge)
    log = ground.write("moved.log", TRACE.replace("shop/prices.py", "shop/money.py"))
    words = ["--canary-log", str(log), "--repo", str(source.path), "--stable", base, "--canary", "main", "--json"]
    document = answer(*words)
    assert document["culprit_commit"] == culprit
    assert document["location"] == {"file": "shop/money.py", "line": 8, "function": "price"}


def test_a_renamed_key_is_found_in_the_gitops_repository(ground: Ground) -> None:
    config = "kind: ConfigMap\nmetadata:\n  name: shop\ndata:\n  RATE: '3'\n"
    manifests = Scratch(ground.folder / "gitops.git")
    manifests.commit("Start", {"apps/shop/config.yaml": config})
    manifests.commit("Rename the rate", {"apps/shop/config.yaml": config.replace("RATE", "CHARGE")})
    manifests.commit("Another service", {"apps/other.yaml": "x: 1\n"})
    frame = '  File "/app/shop/app.py", line 12, in main\n    print("total", total(order))\n'
    bundle = ground.bundle(
        "config",
        bundle_of(
            f"Traceback (most recent call last):\n{frame}KeyError: 'RATE'\n",
            commits=(ground.source.shas[0], ground.source.shas[2]),
            manifests=(manifests.shas[0], manifests.shas[2]),
        ),
    )
    words = [str(bundle), "--repo", str(ground.source.path), "--json"]
    document = answer(*words, "--manifests", str(manifests.path))
    assert (document["category"], document["culprit_commit"]) == ("config", manifests.shas[1])
    assert document["location"] == {"file": "apps/shop/config.yaml", "line": 5, "function": None}
    assert answer(*words)["category"] != "config"


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("", "left no logs"),
        (QUIET, "no traceback"),
        (b"\x7fELF\0\1\2\xff\xfe" * 500, "no traceback"),
        ("ERROR out of tea\n", "no traceback"),
    ],
    ids=["empty", "quiet", "binary", "errors"],
)
def test_a_log_without_a_trace_is_an_answer_too_and_unknown_is_null(
    ground: Ground, log: str | bytes, says: str
) -> None:
    document = answer(*ground.logs(log))
    assert (document["category"], document["confidence"]) == ("unknown", "low")
    assert [document[key] for key in ("location", "culprit_commit", "strategy")] == [None, None, None]
    assert says in document["summary"]


def test_a_trace_that_no_commit_explains_names_none(ground: Ground) -> None:
    words = ground.logs(TRACE.replace("line 8", "line 10"))
    words[words.index("--canary") + 1] = ground.source.shas[2]
    document = answer(*words)
    assert (document["culprit_commit"], document["strategy"], document["confidence"]) == (None, None, "low")
    assert document["location"] == {"file": "shop/prices.py", "line": 10, "function": "price"}


def test_a_huge_log_is_read_in_seconds_and_what_was_cut_is_said(ground: Ground) -> None:
    line = "2026-11-24T12:00:00.000000001Z INFO GET /orders/{0} user={0} token=abc{0} 200 in {0}ms\n"
    log = TRACE + "".join(line.format(at) for at in range(240_000))
    assert len(log) > 20_000_000
    start = time.monotonic()
    done = run(*ground.logs(log))
    assert time.monotonic() - start < 30
    check_prices(json.loads(done.stdout), ground)
    assert "note: of logs/canary/local/app only" in done.stderr
    assert "abc1" not in done.stdout


def test_secrets_in_a_log_are_not_in_the_answer(ground: Ground) -> None:
    done = run(*ground.logs(TRACE.replace("'NoneType'", "password=hunter2 'NoneType'")))
    assert done.returncode == 0
    assert "TypeError" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


def test_people_get_a_few_lines_that_no_terminal_obeys(ground: Ground) -> None:
    hostile = TRACE.replace("unsupported", "\x1b]0;owned\x07\x1b[2Junsupported\u202e")
    done = run(*[word for word in ground.logs(hostile) if word != "--json"])
    assert done.returncode == 0
    assert done.stdout.startswith("code (high confidence): TypeError")
    assert f"commit:  {ground.culprit}" in done.stdout
    assert "where:   shop/prices.py:8 in price" in done.stdout
    assert all(character.isprintable() or character == "\n" for character in done.stdout)


BAD = {
    "no such bundle": (["{folder}/nothing", "--repo", "{repo}"], "there is no bundle at"),
    "a folder that is no bundle": (["{folder}", "--repo", "{repo}"], "bundle.json is missing"),
    "a file that is no archive": (["{text}", "--repo", "{repo}"], "neither a folder nor a .tar.gz"),
    "an archive that is cut": (["{cut}", "--repo", "{repo}"], "neither a folder nor a .tar.gz"),
    "an archive that leads out": (["{escape}", "--repo", "{repo}"], "a path that leaves it"),
    "a bundle of another schema": (["{schema}", "--repo", "{repo}"], "bundle.json: schema"),
    "a bundle with a file missing": (["{missing}", "--repo", "{repo}"], "no such file"),
    "a bundle with unknown revisions": (["{unknown}", "--repo", "{repo}"], "is no commit or tag of the repository"),
    "no repository": (["{bundle}", "--repo", "{folder}"], "is not a git repository"),
    "a repository that is not there": (["{bundle}", "--repo", "{folder}/nothing"], "is not a git repository"),
    "a broken repository": (["{bundle}", "--repo", "{broken}"], "is no commit or tag of the repository"),
    "manifests that are none": (["{bundle}", "--repo", "{repo}", "--manifests", "{folder}"], "is not a git repository"),
    "neither bundle nor log": (["--repo", "{repo}"], "give either a bundle or --canary-log"),
    "bundle and log": (["{bundle}", "--canary-log", "{text}", "--repo", "{repo}"], "give either"),
    "a bundle with revisions": (
        ["{bundle}", "--repo", "{repo}", "--stable", "x"],
        "names its logs and revisions itself",
    ),
    "a log without revisions": (["--canary-log", "{text}", "--repo", "{repo}"], "--stable and --canary"),
    "a log with manifests": (
        ["--canary-log", "{text}", "--repo", "{repo}", "--stable", "main", "--canary", "main", "--manifests", "{repo}"],
        "--manifests goes with a bundle",
    ),
    "no such log": (
        ["--canary-log", "{folder}/nothing", "--repo", "{repo}", "--stable", "main", "--canary", "main"],
        "there is no log file",
    ),
    "a folder as a log": (
        ["--canary-log", "{folder}", "--repo", "{repo}", "--stable", "main", "--canary", "main"],
        "there is no log file",
    ),
    "an unknown revision": (
        ["--canary-log", "{text}", "--repo", "{repo}", "--stable", "main", "--canary", "v9"],
        "the revision v9 is not in the repository",
    ),
    "a revision like an option": (
        ["--canary-log", "{text}", "--repo", "{repo}", "--stable", "main", "--canary=--output=/tmp/x"],
        "is not a revision",
    ),
    "no --repo": (["{bundle}"], "--repo"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_with_2_and_says_what_is_wrong(ground: Ground, case: str) -> None:
    words, says = BAD[case]
    where = places(ground)
    done = run(*(word.format_map(where) for word in words), "--json")
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert says in " ".join(done.stderr.split()), done.stderr
    assert "Traceback" not in done.stderr


def places(ground: Ground) -> dict[str, str]:
    """Everything that the cases of bad input name."""
    good = ground.bundle("bundle")
    (ground.bundle("missing") / "logs/canary/shop-canary-1/app.log").unlink()
    schema = ground.bundle("schema") / "bundle.json"
    schema.write_text(schema.read_text().replace("bundle/v1", "bundle/v9"))
    ground.bundle("unknown", bundle_of(commits=("f" * 40, "main")))
    with tarfile.open(ground.folder / "whole.tar.gz", "w:gz") as archive:
        archive.add(good, arcname=".")
    ground.write("cut.tar.gz", (ground.folder / "whole.tar.gz").read_bytes()[:-200])
    with tarfile.open(ground.folder / "escape.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("../escaped")
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    broken = ground.folder / "broken.git"
    (broken / "objects").mkdir(parents=True)
    (broken / "HEAD").write_text("nonsense\n")
    names = ("folder", "bundle", "missing", "schema", "unknown")
    found = {name: str(ground.folder / name) for name in names} | {"folder": str(ground.folder)}
    return found | {
        "repo": str(ground.source.path),
        "text": str(ground.write("text.log", QUIET)),
        "cut": str(ground.folder / "cut.tar.gz"),
        "escape": str(ground.folder / "escape.tar.gz"),
        "broken": str(broken),
    }


def test_a_damaged_repository_is_a_note_and_names_nobody(ground: Ground) -> None:
    words = ground.logs()
    blob = ground.source.listed("main")["shop/prices.py"][1]
    loose = ground.source.path / "objects" / blob[:2] / blob[2:]
    loose.chmod(0o644)
    loose.write_bytes(b"damaged")
    done = run(*words)
    assert done.returncode == 0
    assert "note: the changes of the source cannot be read" in done.stderr
    assert json.loads(done.stdout)["culprit_commit"] is None


def test_the_stable_versions_own_trace_is_not_blamed_on_the_canary(ground: Ground) -> None:
    document = answer(*ground.logs(TRACE, TRACE))
    assert document["category"] == "unknown"
    assert document["culprit_commit"] is None
