"""The loop with a model in it: a real HTTP server plays the model, and each case ends in a pull request."""

from agents.pull_request import Proposed
from tests.model_server import Body, Message, call, calls, told
from tests.playing import DONE, conclusion, edit, play, pushed
from tests.scene import FIX, ROUNDED, USELESS, Scene, history


async def test_it_investigates_fixes_verifies_and_proposes() -> None:
    scene = Scene()

    def has_seen(body: Body) -> Message:
        assert len(told(body)) == 4
        assert all(answer.startswith("status: ok") for answer in told(body))
        return conclusion(scene)

    outcome, server = await play(
        scene,
        calls(
            ("search_evidence", {"texts": ["LookupError"], "side": "canary"}),
            ("show_commit", {"commit": scene.culprit}),
            ("blame", {"path": "shop/pricing.py", "first_line": 8, "last_line": 11}),
            ("read_file", {"path": "shop/config.py"}),
        ),
        has_seen,
        call("read_file", path="shop/pricing.py"),
        edit(*FIX),
        call("run_verification"),
        lambda body: DONE if "verdict: verified" in told(body)[-1] else call("NoFix", reason="not verified"),
    )
    assert isinstance(outcome, Proposed)
    assert outcome.draft
    assert server.is_done
    assert pushed(scene) == {"shop/pricing.py": ROUNDED.replace(*FIX)}
    assert scene.pull_request.title == "Fix shop in shop/pricing.py"
    body = scene.pull_request.body
    assert body.startswith("**Red before, green after:**")
    assert "A model wrote this change" in body
    assert "Diagnosed by the model test-model" in body
    documents = scene.journal.documents
    assert documents["cost"] == {"model": "test-model", "calls": 6, "input_tokens": 600, "output_tokens": 120}
    assert documents["diagnosis"]["by"] == "model"
    assert documents["diagnosis"]["confidence"] == "high"
    assert documents["patch"]["strategy"] == "model"


async def test_the_first_prompt_holds_findings_and_not_the_log() -> None:
    """Ten thousand lines of log make the prompt no longer than ten do."""
    beats = (f"2026-11-24T11:59:00Z heartbeat {at} of worker {at % 7} took {at % 13} ms" for at in range(10_000))
    short = Scene()
    long = Scene(log="\n".join([*beats, short.log]))
    _, server = await play(short, conclusion(short), edit(*FIX), DONE)
    _, other = await play(long, conclusion(long), edit(*FIX), DONE)
    first, second = (len(one.bodies[0]["messages"][1]["content"]) for one in (server, other))
    assert first < 3000
    assert abs(second - first) < 300
    assert len(long.log) > 200 * second


async def test_an_edit_that_matches_nowhere_and_one_that_matches_twice_are_put_right() -> None:
    scene = Scene()

    def nearest(body: Body) -> Message:
        assert "stands 0 times" in told(body)[-1]
        assert "   10|         raise LookupError" in told(body)[-1]
        return edit("region)\n", "area)\n")

    def twice(body: Body) -> Message:
        assert "stands 2 times, not once; it begins at lines 8, 15" in told(body)[-1]
        return edit(*FIX)

    outcome, server = await play(
        scene, conclusion(scene), edit('raise LookupError("no rate")', "return DEFAULT"), nearest, twice, DONE
    )
    assert isinstance(outcome, Proposed)
    assert server.is_done
    assert pushed(scene) == {"shop/pricing.py": ROUNDED.replace(*FIX)}


async def test_a_patch_that_does_not_pass_is_repaired_with_what_the_verification_said() -> None:
    scene = Scene()

    def repaired(body: Body) -> Message:
        (task,) = told(body, "user")
        assert "This change did not pass the verification" in task
        assert '+        raise LookupError(f"there is no rate for {region}")' in task
        assert "LookupError: there is no rate for pacific" in task
        return edit(*FIX)

    outcome, server = await play(scene, conclusion(scene), edit(*USELESS), DONE, repaired, DONE)
    assert isinstance(outcome, Proposed)
    assert server.is_done
    assert scene.journal.documents["verification"]["verdict"] == "verified"
    assert pushed(scene) == {"shop/pricing.py": ROUNDED.replace(*FIX)}


async def test_a_patch_that_breaks_the_repositorys_tests_does_not_pass() -> None:
    scene = Scene()
    broken = (FIX[0], "    return DEFAULT\n")
    outcome, server = await play(scene, conclusion(scene), edit(*broken), DONE, edit(*FIX), DONE)
    assert isinstance(outcome, Proposed)
    assert (
        "the repository's own tests pass before the patch and fail after it"
        in server.bodies[3]["messages"][1]["content"]
    )


async def test_a_model_whose_patches_never_pass_gives_way_to_the_smallest_revert() -> None:
    scene = Scene()
    useless = [(USELESS[0], f'raise LookupError(f"{word} {{region}}")') for word in ("one", "two", "three")]
    outcome, server = await play(scene, conclusion(scene), *(step for one in useless for step in (edit(*one), DONE)))
    assert isinstance(outcome, Proposed)
    assert server.is_done
    assert scene.journal.documents["patch"]["strategy"] == "revert"
    assert "return RATES.get(region, DEFAULT)" in str(pushed(scene)["shop/pricing.py"])
    assert (
        "changes that the model wrote did not pass the verification; this one is by the rules"
        in scene.pull_request.body
    )


async def test_the_same_refuted_patch_is_not_tried_again() -> None:
    scene = Scene()
    outcome, server = await play(
        scene,
        *(conclusion(scene), edit(*USELESS), DONE, edit(*USELESS), DONE),
        lambda body: call("NoFix", reason="no idea") if "did not pass" in told(body, "user")[-1] else DONE,
    )
    assert isinstance(outcome, Proposed)
    assert server.is_done
    assert scene.journal.documents["patch"]["strategy"] == "revert"
    assert "The model test-model wrote no fix: it gives up: no idea" in scene.pull_request.body


async def test_a_wrong_diagnosis_is_overtaken_by_the_one_that_the_verification_proves() -> None:
    """The model blames an innocent commit; taking that back does not help, so the rules have their turn."""
    scene = Scene()
    innocent = scene.repository.shas[4]
    blamed = conclusion(scene, culprit_commit=innocent, line=15, function="total", summary="rounding is wrong")
    outcome, _ = await play(scene, blamed, call("NoFix", reason="it must be reverted"))
    assert isinstance(outcome, Proposed)
    assert scene.journal.documents["diagnosis"]["culprit_commit"] == scene.culprit
    assert scene.journal.documents["diagnosis"]["by"] == "rules"
    assert scene.journal.documents["verification"]["verdict"] == "verified"
    assert "no change of what the model blames removes the failure" in scene.pull_request.body.lower()


async def test_a_fault_that_no_change_brought_in_is_fixed_where_rules_have_nothing_to_revert() -> None:
    """A latent fault: the code is older than the stable version, so there is no commit to take back."""
    scene = Scene(history(latent=True))
    assert not isinstance(await Scene(history(latent=True)).heal(None), Proposed)
    outcome, _ = await play(scene, conclusion(scene, culprit_commit=None), edit(*FIX), DONE)
    assert isinstance(outcome, Proposed)
    assert scene.journal.documents["diagnosis"]["strategy"] == "model"
    assert pushed(scene) == {"shop/pricing.py": ROUNDED.replace(*FIX)}


async def test_tokens_are_estimated_where_the_server_counts_none() -> None:
    scene = Scene()
    _, server = await play(scene, conclusion(scene), edit(*FIX), DONE, usage=False)
    cost = scene.journal.documents["cost"]
    sent = sum(len(str(body["messages"])) + len(str(body["tools"])) for body in server.bodies)
    assert cost["calls"] == 3
    assert sent / 8 < cost["input_tokens"] < sent / 2
    assert 0 < cost["output_tokens"] < cost["input_tokens"]


async def test_without_a_failed_canary_no_model_is_asked() -> None:
    """A canary that a person aborted has nothing to investigate."""
    scene = Scene()
    rollout = {"kind": "Rollout", "metadata": {"name": "shop"}, "status": {"abort": True}}
    scene.add_object("rollout", "shop", rollout)
    outcome, server = await play(scene)
    assert outcome.kind == "reported"
    assert server.bodies == []
    assert "cost" not in scene.journal.documents
