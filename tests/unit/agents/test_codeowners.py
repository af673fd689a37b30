"""CODEOWNERS as GitHub reads it: the examples of its documentation, and what is not understood."""

import time

import pytest

from agents.pull_request.codeowners import owners_of

DOCUMENTED = """\
# a comment
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/* docs@example.com @docs-owner
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @log-owner
/apps/github
"""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("README.md", ("global-owner1", "global-owner2")),
        ("src/deep/app.js", ("js-owner",)),
        ("cmd/main.go", ()),  # an e-mail address owns it: nobody who could be asked
        ("notes.txt", ("octo-org/octocats",)),
        ("build/logs/today/x.bin", ("log-owner",)),  # the last match counts
        ("src/build/logs2/x", ("global-owner1", "global-owner2")),
        ("docs/getting-started.md", ("doctocat",)),
        ("docs/build-app/troubleshooting.md", ("doctocat",)),
        ("src/docs/a.md", ("global-owner1", "global-owner2")),
        ("apps/web/x.py", ("octocat",)),
        ("src/apps/x.py", ("octocat",)),
        ("scripts/run", ("doctocat", "octocat")),
        ("deeply/nested/logs/x", ("log-owner",)),
        ("apps/github", ()),
        ("apps/github/x", ()),
    ],
)
def test_the_examples_of_githubs_documentation_mean_what_it_says(path: str, owners: tuple[str, ...]) -> None:
    assert owners_of(DOCUMENTED, path) == owners


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("docs/*", "docs/a.md", True),
        ("docs/*", "docs/a/b.md", False),
        ("docs/*", "x/docs/a.md", False),
        ("/*", "a", True),
        ("/*", "a/b", False),
        ("docs/**", "docs/a/b.md", True),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z/file", True),
        ("a/**/z", "a/b/c/y", False),
        ("shop/*.py", "shop/app.py", True),
        ("shop/*.py", "shop/sub/app.py", False),
        ("*.py", "a/b/c.py", True),
        ("*.py", "a/b/c.pyc", False),
        ("te?t.py", "a/test.py", True),
        ("te?t.py", "a/te/t.py", False),
        ("Shop/", "shop/app.py", False),
        ("shop", "shop/app.py", True),
        ("shop", "a/shop", True),
        ("shop/", "a/shop", False),
        ("my\\ shop/", "my shop/app.py", True),
        ("/", "a", False),
        ("!*.py", "a.py", False),
        ("[ab].py", "a.py", False),
    ],
)
def test_a_pattern_fits_what_github_says_it_fits(pattern: str, path: str, fits: bool) -> None:  # noqa: FBT001 - a column of the table
    assert owners_of(f"{pattern} @ana\n", path) == (("ana",) if fits else ())


@pytest.mark.parametrize("line", ["*.py ana", "*.py @ana, @ben", "*.py @-ana", "*.py @acme/", "@ana", "*.py @a/b/c"])
def test_a_line_with_an_error_is_passed_over(line: str) -> None:
    assert owners_of(f"* @ben\n{line}\n", "a.py") == ("ben",)


def test_line_ends_and_sizes_of_others_do_no_harm() -> None:
    assert owners_of("*.py\t@ana\r\n\r\n   \r\n", "a.py") == ("ana",)
    assert owners_of("", "a.py") == ()
    assert owners_of("* @ana\n" + "#" * 3 * 1024 * 1024, "a.py") == ()


def test_a_pattern_that_was_made_to_be_slow_is_not() -> None:
    began = time.process_time()
    assert owners_of(f"{'a*' * 60}b @ana\n{'**/a/' * 60}b @ana\n", "/".join(["a" * 60] * 60)) == ()
    assert time.process_time() - began < 5
