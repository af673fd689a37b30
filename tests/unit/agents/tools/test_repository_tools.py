"""What a model can learn of the repositories: at the two revisions, bounded, and without their secrets."""

import pytest

from agents.tools import Sources, open_place, reading_tools, sources_of
from agents.tools.reply import told
from tests.fakes import FakeCommit, FakeRepository
from tests.scene import KEY, PASSWORD, SECRETS, TOKEN, Scene, history

PLACES = {
    "app.py": f'token = "{TOKEN}"\n',
    "deploy/env.yaml": f"env:\n- name: DB_PASSWORD\n  value: {PASSWORD}\n- name: MODE\n  value: fast\n",
    "signing.pem.txt": f"before\n{KEY}\nafter\n",
    "url.py": f'URL = "postgres://shop:{PASSWORD}@db/shop"\n',
}


async def sources(scene: Scene) -> Sources:
    return sources_of(scene.bundle, await open_place(scene.repository, scene.stable, scene.canary), None)


async def ask(scene: Scene, tool: str, **arguments: object) -> str:
    """A tool's answer, called as an agent calls it: errors are told to the model."""
    tools = {one.name: one for one in reading_tools(await sources(scene))}
    try:
        return str(await tools[tool].ainvoke(arguments))
    except Exception as error:
        if (words := told(error)) is None:
            raise
        return words


async def test_files_are_read_at_either_version() -> None:
    scene = Scene()
    assert "amount = price" in await ask(scene, "read_file", path="shop/pricing.py")
    stable = await ask(scene, "read_file", path="./shop/pricing.py", version="stable")
    assert "amount = price" not in stable
    assert 'source="shop/pricing.py of source at stable"' in stable


async def test_files_are_paged() -> None:
    scene = Scene(history(extra={"big.txt": "".join(f"line {at}\n" for at in range(1, 1001))}))
    answer = await ask(scene, "read_file", path="big.txt", first_line=101, lines=10)
    assert "shown: lines 101-110 of 1000; for more: read_file with first_line=111" in answer
    assert "  101| line 101\n" in answer
    assert "big.txt:1| line 1\n" in await ask(scene, "search_files", text="line 1")
    assert "shown: 200 of 500 matching lines; name a path to see less" in await ask(scene, "search_files", text="line")


@pytest.mark.parametrize(
    "path",
    [
        *("../outside.py", "/etc/passwd", "shop/../../x", ".git/config", "shop/.GIT/config", "a\\b", "a\nb", "", "."),
        *("shop//pricing.py", "shop/\u200bpricing.py", "shop/\u202epricing.py", "--help/../.."),
    ],
)
@pytest.mark.parametrize("tool", ["read_file", "blame"])
async def test_a_path_that_leads_elsewhere_is_denied(tool: str, path: str) -> None:
    more = {"first_line": 1, "last_line": 2} if tool == "blame" else {}
    answer = await ask(Scene(), tool, path=path, **more)
    assert answer.startswith("status: denied\nreason: ")
    assert answer.count("\n") == 1


@pytest.mark.parametrize("path", ["gone.py", "shop", "-c", "*.py", ":(glob)**"])
async def test_a_file_that_is_not_there_is_gone(path: str) -> None:
    assert (await ask(Scene(), "read_file", path=path)).startswith("status: gone\n")


@pytest.mark.parametrize("commit", ["HEAD", "main", "--all", "c44cbef..", "zzzzzzz", "abc"])
async def test_a_revision_is_an_id_and_nothing_else(commit: str) -> None:
    with pytest.raises(ValueError, match="commit"):
        await ask(Scene(), "show_commit", commit=commit)


async def test_commits_between_the_versions_are_listed_and_shown() -> None:
    scene = Scene()
    listed = await ask(scene, "list_commits")
    assert [line.split()[0] for line in listed.split("\n") if ": " in line and len(line) > 40 and line[0] != "s"] == [
        *reversed(scene.repository.shas[3:])
    ]
    shown = await ask(scene, "show_commit", commit=scene.culprit[:8])
    assert "| -    return RATES.get(region, DEFAULT)" in shown
    assert (await ask(scene, "show_commit", commit=scene.culprit, path="README.md")).startswith("status: empty")
    outside = await ask(scene, "show_commit", commit=scene.repository.shas[0])
    assert outside.startswith("status: gone\nreason: ")
    assert "is not one commit between the versions" in outside


async def test_blame_names_the_culprit() -> None:
    scene = Scene()
    answer = await ask(scene, "blame", path="shop/pricing.py", first_line=10, last_line=10)
    assert f"   10 {scene.culprit} (Charge only agreed tax rates)|         raise LookupError" in answer


async def test_the_versions_are_compared() -> None:
    answer = await ask(Scene(), "compare_file", path="shop")
    assert "diff --git a/shop/pricing.py" in answer
    assert "README" not in answer
    assert (await ask(Scene(), "compare_file", path="tests")).startswith("status: empty")


async def test_without_the_stable_revision_the_canary_can_still_be_read() -> None:
    scene = Scene()
    place = await open_place(scene.repository, "f" * 40, scene.canary)
    tools = {one.name: one for one in reading_tools(sources_of(scene.bundle, place, None))}
    assert "RATES" in str(await tools["read_file"].ainvoke({"path": "shop/pricing.py"}))
    for tool, arguments in (
        ("list_commits", {}),
        ("compare_file", {}),
        ("read_file", {"path": "a", "version": "stable"}),
    ):
        with pytest.raises(Exception, match="the revision of the stable version is not known"):
            await tools[tool].ainvoke(arguments)


async def test_a_repository_that_refuses_is_told_as_a_refusal_and_not_as_nothing() -> None:
    scene = Scene()
    scene.repository.denied = {"commits", "compare", "read"}
    for tool, arguments in (("list_commits", {}), ("compare_file", {}), ("read_file", {"path": "README.md"})):
        assert await ask(scene, tool, **arguments) == f"status: denied\nreason: {tool_method(tool)} is refused"


def tool_method(tool: str) -> str:
    return {"list_commits": "commits", "compare_file": "compare", "read_file": "read"}[tool]


async def test_no_tool_shows_a_secret_of_the_repository_whatever_it_is_asked() -> None:
    """Not in a file, and not in a line of a diff, a search or a blame, which does not show what names it a secret."""
    scene = Scene(history(extra=PLACES))
    commits = [FakeCommit("none", {}), FakeCommit("all", PLACES), FakeCommit("more", {**PLACES, "x.txt": "x\n"})]
    late = FakeRepository(*commits)
    place = await open_place(late, late.shas[0], late.shas[2])
    tools = {one.name: one for one in reading_tools(sources_of(scene.bundle, place, None))}
    answers = [str(await tools["read_file"].ainvoke({"path": path})) for path in PLACES]
    answers += [str(await tools["show_commit"].ainvoke({"commit": late.shas[1]}))]
    answers += [str(await tools["compare_file"].ainvoke({}))]
    answers += [
        str(await tools["search_files"].ainvoke({"text": text}))
        for text in ("value", "token", "MzEf", "MIIE", "URL", "=", "hunter2", "ghp_", "before")
    ]
    answers += [
        str(await tools["blame"].ainvoke({"path": path, "first_line": first, "last_line": first + 3}))
        for path in PLACES
        for first in (1, 3)
    ]
    for secret in SECRETS:
        assert [answer for answer in answers if secret in answer] == []
    assert "MODE" in answers[1]
    assert "value: fast" in answers[1]
    assert "    6| after" in answers[2]
    assert "[more of a secret]" in answers[2]
