"""Subjects are worded as the repository words its own, and are no longer than git shows them."""

import pytest

from agents.patch import BY_MODEL, FileChange
from agents.report import PLAIN, Convention, Story, convention_of, subject_of, title
from tests.stories import CONVENTIONAL, PATCH, STORY

SCOPED = ("fix(shop): sell water", "feat(shop)!: prices", "chore: tidy", "docs(api): say more")


def test_more_than_half_of_the_subjects_decide() -> None:
    assert convention_of(SCOPED) == Convention(is_conventional=True, is_scoped=True, scopes=("shop", "api"))
    assert convention_of((*SCOPED, "Sell tea", "Sell milk", "Sell salt")).is_conventional
    assert convention_of((*SCOPED, *["Sell tea"] * 4)) == PLAIN
    assert convention_of(("fix: one", "fix: two")) == PLAIN
    assert convention_of(()) == PLAIN
    assert convention_of(("Fix: One", "Feat: Two", "Chore: Three")) == Convention(is_conventional=True, is_capital=True)


@pytest.mark.parametrize(
    "text", ["shop: sell water", "fix:sell", "fix(a b): x", "fix(): x", "fix", "Merge pull request #1", "fix (shop): x"]
)
def test_what_only_looks_conventional_is_not(text: str) -> None:
    assert subject_of(text) is None


def told(convention: Convention, scope: str | None = None, path: str = "checkout/catalogue.py") -> str:
    change = FileChange(path=path, before="a\n", after="b\n")
    patch = PATCH.model_copy(update={"changes": (change,)})
    return title(STORY.model_copy(update={"convention": convention, "scope": scope, "patch": patch}))


def test_the_scope_is_the_culprits_or_one_in_use_that_the_path_is_named_by() -> None:
    known = Convention(is_conventional=True, is_scoped=True, scopes=("api", "catalogue"))
    assert told(known, "basket").startswith("fix(basket): revert the change in ")
    assert told(known).startswith("fix(catalogue): revert ")
    assert told(known, path="src/main.py").startswith("fix: revert ")
    assert told(known.model_copy(update={"is_scoped": False}), "basket").startswith("fix: revert ")
    assert told(known.model_copy(update={"is_capital": True})).startswith("fix(catalogue): Revert ")


@pytest.mark.parametrize("path", ["a.py", "services/checkout/internal/catalogue/rows.py", "x" * 100 + ".py", "d/" * 60])
@pytest.mark.parametrize("convention", [PLAIN, CONVENTIONAL.convention])
@pytest.mark.parametrize("strategy", ["revert", "restore", BY_MODEL])
def test_subjects_fit_and_say_as_much_as_fits(path: str, convention: Convention, strategy: str) -> None:
    change = FileChange(path=path, before="a\n", after="b\n")
    for rollout in ("shop", "r" * 63):
        story = Story.model_validate(
            STORY.model_dump()
            | {
                "bundle": STORY.bundle.model_copy(update={"rollout": rollout}),
                "patch": PATCH.model_copy(update={"changes": (change,), "strategy": strategy}),
                "convention": convention,
            }
        )
        assert len(title(story)) <= 72
        assert rollout[:20] in title(story)
    assert told(PLAIN, path="shop/app.py") == "Revert the change in shop/app.py that broke checkout"
    assert told(PLAIN, path="a/long/way/down/to/the/file/that/broke/it/app.py").endswith(
        "in app.py that broke checkout"
    )
