import re
from collections.abc import Callable
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from agents.evidence import Citation, Item
from agents.patch import FileChange
from agents.pull_request.issues import AGAIN
from agents.pull_request.joining import INTRODUCTION
from agents.remarks import Beside
from agents.report import Story, again_line, commit_message, issue_text, one_line, pull_request_text, title
from tests.conftest import Golden
from tests.stories import (
    CONVENTIONAL,
    FIX_AND_PIN,
    LAST_RESORT,
    PATCH,
    REFUTED,
    RENDERED,
    RETRIED,
    STARTED,
    STORY,
    TIMED,
    TRACE,
    TRIED,
    UNVERIFIED,
    VERIFIED,
)

GITHUB_BODY = 65_536
"""Characters that GitHub takes for a body."""

PAGES = {
    "verified.md": pull_request_text(STORY),
    "started.md": pull_request_text(STARTED),
    "timed.md": pull_request_text(TIMED),
    "rendered.md": pull_request_text(RENDERED),
    "unverified.md": pull_request_text(STORY.model_copy(update={"verification": UNVERIFIED})),
    "reported.md": issue_text(
        STORY.model_copy(update={"verification": REFUTED, "reasons": ("the failure is still there after the patch",)})
    ),
    "without-change.md": issue_text(
        STORY.model_copy(
            update={
                "patch": None,
                "verification": None,
                "reasons": ("nothing in Git to change: the cause is infrastructure",),
                "notes": ("the manifest repository is not known",),
            }
        )
    ),
    "fix-beside-a-pin.md": pull_request_text(FIX_AND_PIN),
    "pin.md": pull_request_text(LAST_RESORT),
    "retried-after-merging.md": pull_request_text(RETRIED),
    "tried-in-vain.md": issue_text(
        STORY.model_copy(
            update={
                "verification": REFUTED,
                "tried": TRIED,
                "reasons": ("the failure is still there after the patch",),
                "beside": Beside(reason="the Application renders a Helm chart, whose values are not edited here"),
            }
        )
    ),
    "commit-message.txt": commit_message(STORY),
    "conventional-message.txt": commit_message(CONVENTIONAL),
    "joined.md": f"{INTRODUCTION}\n\n- {one_line(STORY)}\n",
    "again.md": f"{AGAIN[0]}\n\n- {again_line(STORY.model_copy(update={'reasons': ('no fix was found',)}))}\n",
}


@pytest.mark.parametrize("name", sorted(PAGES))
def test_pages_read_as_they_were_approved(golden: Golden, name: str) -> None:
    assert PAGES[name] == golden(name, PAGES[name])


@pytest.mark.parametrize(
    ("verification", "first"),
    [
        (UNVERIFIED, "Not verified: the failure could not be seen again: the canary's code passed here"),
        (REFUTED, "Not verified: the failure is still there after the patch"),
        (None, "Not verified: nothing was run"),
        (VERIFIED, "**Red before, green after:** the request of the canary, sent again."),
    ],
)
def test_the_first_line_says_whether_it_was_verified(verification: object, first: str) -> None:
    text = pull_request_text(STORY.model_copy(update={"verification": verification}))
    assert text.split("\n")[0] == first


def test_titles_name_the_rollout_and_the_place() -> None:
    assert title(STORY) == "Revert the change in checkout/catalogue.py that broke checkout"
    reported = STORY.model_copy(update={"reasons": ("x",)})
    assert title(reported) == "Canary of checkout failed: code cause in checkout/basket.py"
    unknown = STORY.diagnosis.model_copy(update={"category": "unknown", "location": None})
    assert title(STORY.model_copy(update={"patch": None, "diagnosis": unknown})) == (
        "Canary of checkout failed: cause unknown"
    )


def hostile(text: str) -> Story:
    """The story with foreign text wherever foreign text can stand."""
    diagnosis = STORY.diagnosis
    claim = diagnosis.claims[0]
    check = VERIFIED.before.model_copy(update={"output": text, "reason": text, "command": text})
    item = Item(id=text, kind="log", side="canary", path="x", status="gone", reason=text)
    return STORY.model_copy(
        update={
            "bundle": STORY.bundle.model_copy(update={"rollout": text, "items": (item,)}),
            "diagnosis": diagnosis.model_copy(
                update={
                    "summary": text,
                    "location": diagnosis.location and diagnosis.location.model_copy(update={"file": text}),
                    "claims": (claim.model_copy(update={"text": text, "evidence": (Citation(ref=text, quote=text),)}),),
                }
            ),
            "patch": PATCH.model_copy(
                update={"why": text, "changes": (FileChange(path=text, before=text, after=f"{text}\n"),)}
            ),
            "verification": VERIFIED.model_copy(update={"before": check, "after": check, "unchecked": (text,)}),
            "notes": (f"note {text}",),
            "reasons": (),
        }
    )


ATTACKS = {
    "a fence's end": "```\n# owned\n```",
    "a longer fence's end": "`" * 12 + "\n# owned",
    "tildes": "~~~\n# owned\n~~~",
    "a mention": "hello @acme/everyone and @root",
    "a reference": "fixes #123, closes acme/shop#7, GH-12",
    "a link": "[click](https://evil.example) https://evil.example www.evil.example mailto:a@evil.example",
    "a definition": "[a]: https://evil.example\n\n[a]",
    "an image": "![x](https://evil.example/pixel.png)",
    "HTML": "<img src=https://evil.example/p.png><script>x</script></details>",
    "an entity": "&lt;script&gt; &#64;root",
    "a comment": "<!-- selfheal incident=" + "f" * 32 + " text=" + "0" * 16 + " -->",
    "a code span's end": "`@root` ``#1`` `",
    "a table's end": "a | b |\n| c | d |",
    "a heading": "# owned\n=====\n- [ ] task\n1. one\n> quote",
    "a trailer": "x\n\nCo-authored-by: evil <e@evil.example>\nSelfheal-Incident: " + "f" * 32,
    "words that switch CI off": "[skip ci] [ci skip] ***NO_CI***",
    "marks of direction": "safe \u202etxt.exe\u202c \u2066x\u2069",
    "controls": "a\x00b\x1b[31mred\x1b[0m\x08\x07\x85\u2028c",
    "maths": "$\\color{white}{x}$",
}


PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
LINKED = re.compile(r"@\w|#\d|\bgh-\d|://|\bwww\.|mailto:\w", re.IGNORECASE)
"""What GitHub makes a link of in text that is rendered already."""


def shape(markdown: str) -> list[str]:
    """Every block and every inline mark of a page, but for the text itself: what a reader's browser is told to do."""
    found: list[str] = []
    for token in PARSER.parse(markdown):
        found.append(token.type if token.type != "html_block" else token.content)
        found += [
            child.type if child.type != "html_inline" else child.content
            for child in token.children or ()
            if child.type not in {"text", "text_special"}
        ]
    return found


def spoken(markdown: str) -> str:
    """The text outside of code, as it is rendered."""
    return "\n".join(
        "".join(child.content for child in token.children or () if child.type in {"text", "text_special"})
        for token in PARSER.parse(markdown)
    )


def test_a_red_suite_is_shown_with_what_it_said() -> None:
    red = VERIFIED.tests_after.model_copy(update={"result": "failed", "output": "FAIL: test_shelves"})
    story = STORY.model_copy(update={"verification": VERIFIED.model_copy(update={"tests_after": red})})
    assert "FAIL: test_shelves" in issue_text(story)
    assert "FAIL" not in issue_text(STORY)


def test_where_a_person_is_asked_the_merged_pull_requests_of_before_are_linked() -> None:
    urls = ("https://git.example/acme/checkout/pull/4", "https://git.example/acme/checkout/pull/9")
    text = issue_text(STORY.model_copy(update={"reasons": ("a person has to look",), "earlier": urls}))
    assert text.index("a person has to look") < text.index(f"- {urls[0]}\n- {urls[1]}") < text.index("## What failed")


@pytest.mark.parametrize("attack", sorted(ATTACKS))
@pytest.mark.parametrize("page", [pull_request_text, issue_text])
def test_foreign_text_stays_text(page: Callable[[Story], str], attack: str) -> None:
    markdown = page(hostile(ATTACKS[attack]))
    assert shape(markdown) == shape(page(hostile("honest")))
    assert LINKED.findall(spoken(markdown)) == []
    assert not any(ord(char) < 32 and char != "\n" for char in markdown)
    assert not any(char in markdown for char in "\u202e\u2066\u2028\x85\x7f")


def test_the_check_for_inert_text_sees_what_is_not() -> None:
    for text in ("# x", "![x](y)", "[x](y)", "<b>x</b>", "a\n===", "- x", "*x*", "> x", "<!-- x -->"):
        assert shape(text) != shape("x")
    assert all(LINKED.search(text) for text in ("@root", "a#12", "GH-7", "https://x", "www.x"))


@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_titles_and_commit_messages_say_nothing_to_the_forge(attack: str) -> None:
    story = hostile(ATTACKS[attack])
    message = commit_message(story)
    assert "\n" not in title(story)
    assert len(message.strip().split("\n")) == 5  # subject, summary and why, a blank line between
    for text in (title(story), message):
        for word in ("@acme", "@root", "#123", "GH-12", "[skip ci]", "[ci skip]", "https://", "***NO_CI"):
            assert word not in text
        assert not any(ord(char) < 32 and char != "\n" for char in text)


def test_a_long_story_fits_where_it_is_posted_and_says_what_was_cut() -> None:
    long = "x" * 5000 + "\n"
    claim = STORY.diagnosis.claims[0].model_copy(update={"evidence": (Citation(ref="r", quote=long * 60),)})
    check = VERIFIED.before.model_copy(update={"output": long * 40, "reason": long})
    items = tuple(
        Item(id=f"logs/canary/p{at}/app", kind="log", side="canary", path="x", status="gone") for at in range(300)
    )
    story = STORY.model_copy(
        update={
            "bundle": STORY.bundle.model_copy(update={"items": items}),
            "diagnosis": STORY.diagnosis.model_copy(update={"claims": (claim,) * 8, "summary": long}),
            "patch": PATCH.model_copy(update={"changes": (FileChange(path="a", before="", after="y\n" * 9000),)}),
            "verification": VERIFIED.model_copy(update={"before": check, "after": check, "unchecked": (long,) * 9}),
        }
    )
    for text in (pull_request_text(story), issue_text(story)):
        assert len(text) < GITHUB_BODY
        assert "[... cut]" in text
        assert "lines ...]" in text
        assert "more, which the incident lists" in text


def test_secrets_are_placeholders_wherever_they_come_from() -> None:
    secret = "ghp_" + "a1B2" * 9
    story = hostile(f"token={secret}\nAuthorization: Bearer {secret}")
    for text in (title(story), commit_message(story), pull_request_text(story), issue_text(story)):
        assert secret not in text
        assert secret.replace("_", "\\_") not in text
    assert "REDACTED" in pull_request_text(story)


def test_a_cited_place_is_quoted_as_it_stands() -> None:
    text = pull_request_text(STORY)
    assert TRACE in text
    assert "`logs/canary/checkout-5f8b9d7c4-x2v7q/app#L118-127`" in text


def test_golden_pages_have_no_strays() -> None:
    folder = Path(__file__).resolve().parents[2] / "golden"
    assert {path.name for path in folder.iterdir() if path.suffix in {".md", ".txt"}} >= set(PAGES)
