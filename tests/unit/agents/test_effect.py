import pytest

from agents.changes import Commit, bumps_of, comes_from, effective, hunks_of, only_formats
from tests.fakes import START, diff_trees

BASE = "one = first()\ntwo = second()\nthree = third()\n"


def commit(number: int, before: str, after: str, *parents: str) -> Commit:
    diff = diff_trees({"a.py": before}, {"a.py": after}, context=3)
    return Commit(
        sha=f"{number:040x}", parents=parents or ("p",), author="Ana", at=START, subject=str(number), diff=diff
    )


def left(commits: list[Commit], before: str, after: str) -> dict[int, int]:
    """How many hunks each commit has left at the canary, by its number."""
    difference = diff_trees({"a.py": before}, {"a.py": after}, context=0)
    return {int(commit.sha, 16): len(hunks) for commit, hunks in effective(commits, difference)}


CHANGED = BASE.replace("second()", "other()")


def test_a_change_that_is_taken_back_in_the_range_is_no_suspect() -> None:
    commits = [commit(2, CHANGED, BASE), commit(1, BASE, CHANGED)]
    assert left(commits, BASE, BASE) == {2: 0, 1: 0}


def test_of_a_change_taken_back_and_made_again_the_last_commit_is_answerable_for_what_it_wrote() -> None:
    commits = [commit(3, BASE, CHANGED), commit(2, CHANGED, BASE), commit(1, BASE, CHANGED)]
    found = left(commits, BASE, CHANGED)
    assert (found[3], found[2]) == (1, 0)


def test_formatting_writes_nothing_and_does_not_hide_who_did() -> None:
    spaced = CHANGED.replace("two = other()", "two  =  other( )")
    commits = [commit(2, CHANGED, spaced), commit(1, BASE, CHANGED)]
    assert left(commits, BASE, spaced) == {2: 0, 1: 1}
    assert only_formats(commits) == (commits[0].sha,)


def test_lines_that_change_places_are_a_change() -> None:
    swapped = "two = second()\none = first()\nthree = third()\n"
    assert left([commit(1, BASE, swapped)], BASE, swapped) == {1: 1}


def test_a_merge_is_answerable_for_what_none_of_its_commits_wrote() -> None:
    resolved = CHANGED.replace("third()", "neither()")
    merge = commit(2, BASE, resolved, "p", "q")
    assert left([merge, commit(1, BASE, CHANGED)], BASE, resolved) == {2: 1, 1: 1}
    (_, hunks), _ = effective([merge, commit(1, BASE, CHANGED)], diff_trees({"a.py": BASE}, {"a.py": resolved}, 0))
    assert [line.text for line in hunks[0].added] == ["three = neither()"]


def test_a_merge_that_only_brings_its_commits_has_nothing() -> None:
    assert left([commit(2, BASE, CHANGED, "p", "q"), commit(1, BASE, CHANGED)], BASE, CHANGED) == {2: 0, 1: 1}


def test_a_merge_that_loses_a_line_is_answerable_for_it() -> None:
    lost = BASE.replace("three = third()\n", "")
    assert left([commit(2, BASE, lost, "p", "q")], BASE, lost) == {2: 1}


def test_where_the_difference_is_not_known_nothing_is_taken_for_undone() -> None:
    commits = [commit(2, CHANGED, BASE), commit(1, BASE, CHANGED)]
    assert [len(hunks) for _, hunks in effective(commits, None)] == [1, 1]


@pytest.mark.parametrize(
    ("path", "before", "after", "package"),
    [
        ("requirements.txt", "requests==2.1\nflask>=2\n", "requests==2.2\nflask>=2\n", "requests"),
        ("pyproject.toml", 'd = [\n  "requests>=2.1",\n]\n', 'd = [\n  "requests>=2.2",\n]\n', "requests"),
        ("poetry.lock", 'name = "requests"\nversion = "2.1"\n', 'name = "requests"\nversion = "2.2"\n', "requests"),
        ("web/package.json", '{\n  "express": "^4.1.0"\n}\n', '{\n  "express": "^5.0.0"\n}\n', "express"),
        (
            "package-lock.json",
            '"node_modules/@a/b": {\n  "version": "4.1.0",\n',
            '"node_modules/@a/b": {\n  "version": "5.0.0",\n',
            "@a/b",
        ),
        ("go.mod", "require (\n\ta.org/b v1.2.3\n)\n", "require (\n\ta.org/b v1.3.0\n)\n", "a.org/b"),
        (
            "pom.xml",
            "<artifactId>j</artifactId>\n<version>1</version>\n",
            "<artifactId>j</artifactId>\n<version>2</version>\n",
            "j",
        ),
        ("build.gradle", "implementation 'a.b:c:1.0'\n", "implementation 'a.b:c:1.1'\n", "c"),
        ("Gemfile.lock", "    rails (6.1)\n      x (= 1)\n", "    rails (7.0)\n      x (= 1)\n", "rails"),
        ("Cargo.lock", 'name = "serde"\nversion = "1.0"\n', 'name = "serde"\nversion = "1.1"\n', "serde"),
        (
            "A.csproj",
            '<PackageReference Include="N.J" Version="1" />\n',
            '<PackageReference Include="N.J" Version="2" />\n',
            "N.J",
        ),
        ("composer.lock", '{"name": "a/b", "version": "1.4"}\n', '{"name": "a/b", "version": "2.0"}\n', "a/b"),
    ],
)  # fmt: skip
def test_a_package_of_another_version_is_told_by_the_line_that_changed(
    path: str, before: str, after: str, package: str
) -> None:
    (hunk,) = hunks_of(diff_trees({path: before}, {path: after}, context=3))
    (bump,) = bumps_of(hunk)
    assert bump.package == package
    assert bump.old != bump.new


def test_a_package_that_is_gone_has_no_new_version() -> None:
    (hunk,) = hunks_of(diff_trees({"requirements.txt": "a==1\nb==1\n"}, {"requirements.txt": "b==1\n"}, context=3))
    assert [(bump.package, bump.new) for bump in bumps_of(hunk)] == [("a", None)]


def test_source_names_no_packages() -> None:
    (hunk,) = hunks_of(diff_trees({"a.py": 'x = "1"\n'}, {"a.py": 'x = "2"\n'}, context=3))
    assert bumps_of(hunk) == ()


@pytest.mark.parametrize(
    ("package", "code", "expected"),
    [
        ("python-dateutil", "dateutil", True),
        ("PyYAML", "yaml", True),
        ("jackson-databind", "com.fasterxml.jackson.databind.ObjectMapper", True),
        ("spring-web", "org.springframework.web.client.RestTemplate", True),
        ("example.org/a/b", "example.org/a/b/x", True),
        ("example.org/a/b", "example.org/a/bc", False),
        ("Newtonsoft.Json", "Newtonsoft.Json.JsonConvert", True),
        ("requests", "flask", False),
        ("@acme/util", "@acme/core", False),
    ],
)
def test_a_package_is_known_by_what_its_code_is_called(
    package: str,
    code: str,
    expected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert comes_from(package, code) is expected


POM = """<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.acme</groupId>
  <artifactId>shop</artifactId>
  <version>1.4.0</version>
  <dependencies>
    <dependency>
      <groupId>com.vendor</groupId>
      <artifactId>ledger</artifactId>
      <version>2.0</version>
    </dependency>
  </dependencies>
</project>
"""


@pytest.mark.parametrize(
    ("path", "before", "old", "new"),
    [
        pytest.param("pom.xml", POM, "1.4.0", "1.5.0", id="maven"),
        pytest.param("package-lock.json", '{\n  "name": "a",\n  "version": "1.0"\n}\n', "1.0", "1.1", id="npm"),
        pytest.param("Cargo.lock", 'name = "a"\nversion = "1.0"\ndependencies = [\n', "1.0", "1.1", id="cargo"),
        pytest.param("uv.lock", 'name = "a"\nversion = "1.0"\nsource = { editable = "." }\n', "1.0", "1.1", id="uv"),
        pytest.param("build.gradle", "ext.appVersion = '1.0'\nversion = '1.0'\n", "1.0", "1.1", id="gradle"),
        pytest.param("Cargo.toml", '[package]\nname = "a"\nversion = "1.0"\n', "1.0", "1.1", id="cargo manifest"),
    ],
)
def test_a_release_of_the_project_itself_raises_no_dependency(path: str, before: str, old: str, new: str) -> None:
    (hunk,) = hunks_of(diff_trees({path: before}, {path: before.replace(old, new)}, context=3))
    assert bumps_of(hunk) == ()


def test_a_dependency_that_is_raised_with_the_project_is_told_by_its_own_name() -> None:
    after = POM.replace("1.4.0", "1.5.0").replace("2.0<", "3.0<")
    (hunk,) = hunks_of(diff_trees({"pom.xml": POM}, {"pom.xml": after}, context=3))
    assert [(bump.package, bump.old, bump.new) for bump in bumps_of(hunk)] == [("ledger", "2.0", "3.0")]
