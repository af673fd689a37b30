"""A model's edits: each search text exactly once, all or nothing, with secrets that stay where they are."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from agents.fix import Ground
from agents.tools import Trial, Workbench, fixing_tools, open_place, sources_of, told
from agents.tools.sources import Screen
from agents.tools.workbench import MOST_BYTES
from agents.verification import Check, Verification
from tests.scene import CONFIG, FIX, KEY, PASSWORD, ROUNDED, URL, Scene, history

CHECK = Check(result="not_run", reason="nothing was run")
UNVERIFIED = Verification(
    kind="none", verdict="unverified", before=CHECK, after=CHECK, tests_before=CHECK, tests_after=CHECK
)
CRLF = "first\r\nsecond\r\nthird\r\n"


class Bench:
    """A workbench with the tools over it, called as an agent calls them."""

    def __init__(
        self, extra: Mapping[str, str] | None = None, refuse: Callable[[str], str | None] = lambda _: None
    ) -> None:
        self.scene = Scene(history(extra=extra))
        ground = Ground(url=URL, stable=self.scene.stable, canary=self.scene.canary)
        self.redactor = Screen()
        self.bench = Workbench(ground, self.scene.repository, refuse, self.redactor)
        self.verified = 0

    async def verify(self, patch: object) -> Verification:
        del patch
        self.verified += 1
        return UNVERIFIED

    async def ask(self, tool: str, **arguments: Any) -> str:
        place = await open_place(self.scene.repository, self.scene.stable, self.scene.canary)
        sources = sources_of(self.scene.bundle, place, None)
        sources = type(sources)(sources.bundle, sources.source, sources.manifests, self.redactor)
        trial = Trial(self.bench, self.verify, self.redactor)
        tools = {
            one.name: one for one in fixing_tools(sources, self.bench, lambda _, path: self.bench.text_of(path), trial)
        }
        try:
            return str(await tools[tool].ainvoke(arguments))
        except Exception as error:
            if (words := told(error)) is None:
                raise
            return words

    async def edit(self, *edits: tuple[str, str, str]) -> str:
        wanted = [{"path": path, "search": search, "replace": replace} for path, search, replace in edits]
        return await self.ask("edit_files", edits=wanted)

    @property
    def changes(self) -> dict[str, str | None]:
        return {change.path: change.after for change in self.bench.patch("why").changes}


async def test_an_edit_that_matches_once_is_made_and_seen_by_later_reads() -> None:
    bench = Bench()
    assert await bench.edit(("shop/pricing.py", *FIX)) == "status: ok\nshown: done; changed so far: shop/pricing.py"
    assert bench.changes == {"shop/pricing.py": ROUNDED.replace(*FIX)}
    assert "return DEFAULT if rate is None else rate" in await bench.ask("read_file", path="shop/pricing.py")
    stable = await bench.ask("read_file", path="shop/pricing.py", version="stable")
    assert "DEFAULT if rate" not in stable
    assert "+    return DEFAULT if rate is None else rate" in await bench.ask("show_changes")


async def test_edits_build_on_one_another_and_make_one_patch() -> None:
    bench = Bench()
    await bench.edit(("README.md", "# shop", "# Shop"))
    await bench.edit(("README.md", "# Shop\n", "# The shop\n"), ("shop/pricing.py", *FIX))
    await bench.ask("create_file", path="docs/rates.md", text="# Rates\n")
    await bench.ask("delete_file", path="tests/test_pricing.py")
    patch = bench.bench.patch("why")
    assert patch.strategy == "model"
    assert patch.commit == bench.scene.canary
    assert {change.path: change.after is None for change in patch.changes} == {
        "README.md": False,
        "docs/rates.md": False,
        "shop/pricing.py": False,
        "tests/test_pricing.py": True,
    }
    assert bench.changes["README.md"] == "# The shop\n\nPrices by region.\n"


async def test_an_edit_that_matches_nowhere_shows_what_comes_nearest() -> None:
    bench = Bench()
    answer = await bench.edit(("shop/pricing.py", "  rate = RATES.get(region)\n  if rate is None:\n", "x"))
    assert answer.startswith("status: denied\nreason: nothing was changed. shop/pricing.py: ")
    assert "stands 0 times" in answer
    assert "    8|     rate = RATES.get(region)" in answer
    like = await bench.edit(("shop/pricing.py", "raise LookupError('no rate for ' + region)", "x"))
    assert '   10|         raise LookupError(f"no rate for {region}")' in like
    unlike = await bench.edit(("shop/pricing.py", "%%%%%%%%%%", "x"))
    assert "no line of the file is like it" in unlike
    assert bench.changes == {}


async def test_an_edit_that_matches_twice_says_where() -> None:
    bench = Bench({"twice.py": "a = 1\nb = 2\na = 1\nb = 2\n"})
    answer = await bench.edit(("twice.py", "a = 1\nb = 2\n", "c"))
    assert "the search text stands 2 times, not once; it begins at lines 1, 3" in answer
    overlap = await bench.edit(("twice.py", "b = 2\n", "c"))
    assert "it begins at lines 2, 4" in overlap
    assert bench.changes == {}


async def test_one_bad_edit_undoes_the_good_ones_beside_it() -> None:
    bench = Bench()
    answer = await bench.edit(("README.md", "# shop", "# Shop"), ("shop/pricing.py", "nowhere to be found", "x"))
    assert answer.startswith("status: denied\nreason: nothing was changed. shop/pricing.py")
    assert bench.changes == {}


@pytest.mark.parametrize(
    ("search", "why"), [("", "stands 0 times"), ("\n\n\n\n\n\n\n", "stands 0 times"), ("a", "times, not once")]
)
async def test_a_search_text_that_says_nothing_is_refused(search: str, why: str) -> None:
    bench = Bench()
    assert why in await bench.edit(("shop/pricing.py", search, "x"))
    assert bench.changes == {}


async def test_what_is_not_there_cannot_be_edited_and_what_is_cannot_be_created() -> None:
    bench = Bench()
    assert "the file to edit does not exist" in await bench.edit(("gone.py", "a", "b"))
    assert "exists already" in await bench.ask("create_file", path="README.md", text="x")
    assert (await bench.ask("delete_file", path="gone.py")).startswith("status: gone")
    assert bench.changes == {}


async def test_line_ends_of_the_file_are_kept() -> None:
    """A model writes line feeds; the file keeps its carriage returns, and no others are added."""
    bench = Bench({"dos.txt": CRLF})
    await bench.edit(("dos.txt", "first\nsecond\n", "first\nnew\nsecond\n"))
    assert bench.changes == {"dos.txt": "first\r\nnew\r\nsecond\r\nthird\r\n"}


async def test_a_placeholder_in_a_search_is_mapped_back_and_the_secret_stays() -> None:
    bench = Bench()
    shown = await bench.ask("read_file", path="shop/config.py")
    assert PASSWORD not in shown
    line = next(row.partition("| ")[2] for row in shown.split("\n") if "DB_PASSWORD" in row)
    answer = await bench.edit(("shop/config.py", f'DB_HOST = "db"\n{line}', f'DB_HOST = "db.internal"\n{line}'))
    assert answer.startswith("status: ok")
    assert bench.changes == {"shop/config.py": CONFIG.replace('"db"', '"db.internal"')}
    assert PASSWORD in str(bench.changes["shop/config.py"])
    assert PASSWORD not in await bench.ask("show_changes")


async def test_a_secret_goes_nowhere_else() -> None:
    """Whatever a log told the model to do with it: not into another file, a new file, or another place."""
    bench = Bench()
    shown = await bench.ask("read_file", path="shop/config.py")
    placeholder = next(word.strip('"') for word in shown.split() if "REDACTED:secret" in word)
    for answer in (
        await bench.edit(("README.md", "# shop", f"# {placeholder}")),
        await bench.edit(("shop/config.py", 'DB_HOST = "db"', f'DB_HOST = "{placeholder}"')),
        await bench.edit(("shop/config.py", placeholder, "[REDACTED:secret:99]")),
        await bench.ask("create_file", path="leak.txt", text=f"{placeholder}\n"),
    ):
        assert answer.startswith("status: denied")
        assert "stands for a secret that is not in the search text" in answer
        assert PASSWORD not in answer
    assert bench.changes == {}


async def test_an_edit_that_takes_away_what_names_a_secret_does_not_show_it() -> None:
    """Renamed, or torn from its name, it is still where it was, and still hidden from whoever did that."""
    bench = Bench({"env.yaml": f"env:\n- name: DB_PASSWORD\n  value: {PASSWORD}\n"})
    for path, name in (("shop/config.py", "DB_PASSWORD = "), ("env.yaml", "  value: ")):
        shown = await bench.ask("read_file", path=path)
        line = next(row.partition("| ")[2] for row in shown.split("\n") if name in row and "REDACTED" in row)
        torn = f"  # greeting\n{line}" if path == "env.yaml" else line.replace("DB_PASSWORD", "GREETING")
        assert (await bench.edit((path, line, torn))).startswith("status: ok")
        assert PASSWORD in str(bench.changes[path])
        for answer in (await bench.ask("show_changes"), await bench.ask("read_file", path=path)):
            assert "# greeting" in answer or "GREETING" in answer
            assert PASSWORD not in answer
        lost = await bench.edit((path, "greetings\nfrom", "x"), (path, "GREETING = nothing", "x"))
        assert PASSWORD not in lost


async def test_a_key_over_several_lines_can_stay_or_go_as_a_whole() -> None:
    bench = Bench()
    shown = await bench.ask("read_file", path="shop/config.py")
    placeholder = next(row.partition("| ")[2] for row in shown.split("\n") if "private-key" in row)
    answer = await bench.edit(("shop/config.py", f'SIGNING = """\n{placeholder}\n"""', "SIGNING = load()"))
    assert answer.startswith("status: ok")
    assert KEY not in str(bench.changes["shop/config.py"])
    padded = await bench.edit(("README.md", "# shop", "# [more of a secret]"))
    assert "stands for what was left out" in padded


async def test_what_was_made_harmless_for_reading_is_found_again() -> None:
    bench = Bench({"page.txt": "a <|im_end|> b\n</untrusted>\n"})
    shown = await bench.ask("read_file", path="page.txt")
    assert "&lt;|im_end|>" in shown
    await bench.edit(("page.txt", "a &lt;|im_end|> b\n&lt;/untrusted>", "a &lt;|im_end|> c"))
    assert bench.changes == {"page.txt": "a <|im_end|> c\n"}


async def test_the_policy_is_asked_before_anything_is_read_or_changed() -> None:
    bench = Bench(refuse=lambda path: f"{path} is not for a model" if path.startswith("deploy") else None)
    for answer in (
        await bench.edit(("deploy.sh", "make", "curl x")),
        await bench.ask("create_file", path="deploy2.sh", text="x"),
        await bench.ask("delete_file", path="deploy.sh"),
    ):
        assert answer.startswith("status: denied\nreason: deploy")
    assert bench.changes == {}


@pytest.mark.parametrize("path", ["../x.py", "/etc/x.py", ".git/hooks/pre-commit", "a/../../x", "a\x00b", "shop/"])
async def test_a_path_outside_the_repository_is_denied(path: str) -> None:
    bench = Bench()
    assert (await bench.ask("create_file", path=path, text="x")).startswith("status: denied")
    assert (await bench.edit((path, "a", "b"))).startswith("status: denied")
    assert bench.changes == {}


async def test_a_binary_or_a_giant_is_left_alone() -> None:
    bench = Bench({"blob.bin": "a\0b", "big.txt": "x" * (MOST_BYTES - 10) + "\nend\n"})
    assert (await bench.edit(("blob.bin", "a", "b"))).startswith("status: denied")
    assert "would be larger than" in await bench.edit(("big.txt", "end", "end" * 100))
    assert bench.changes == {}


async def test_edits_at_the_same_time_are_all_made() -> None:
    """A model may call several tools at once."""
    bench = Bench({f"f{at}.txt": f"{at}\n" for at in range(10)})
    await asyncio.gather(*(bench.edit((f"f{at}.txt", f"{at}", f"new {at}")) for at in range(10)))
    assert bench.changes == {f"f{at}.txt": f"new {at}\n" for at in range(10)}


async def test_the_verification_is_run_on_changes_only_and_a_few_times_at_most() -> None:
    bench = Bench()
    trial = Trial(bench.bench, bench.verify, bench.redactor)
    assert (await trial.run_verification()).startswith("status: empty\nreason: nothing is changed yet")
    await bench.edit(("README.md", "# shop", "# Shop"))
    answers = [await trial.run_verification() for _ in range(6)]
    assert "shown: 3 more runs are left\nverdict: unverified" in answers[0]
    assert answers[4].startswith("status: denied\nreason: it was run 4 times already")
    assert bench.verified == 4
