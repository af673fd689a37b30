"""Labels and requests for review: each made once, whoever asks how often, and never again once a person undid it.

What was done before is read from the forge's own history of the pull request, not from what is there now: a label that
was taken off, and a request that was taken back or answered, stay in that history. So nothing is kept about it here,
and a crash between the request and any note of it does no harm.
"""

import contextlib

from agents.errors import Denied
from agents.pull_request.nouns import Attention, Forge, Record, Wanted


async def draw_attention(wanted: Wanted, found: Record, forge: Forge, *, is_new: bool) -> None:
    """Label the pull request and ask for reviews, as far as neither was ever done; one that is new has no history.

    What the forge refuses (an account that may not see the repository, a missing permission) is left out: a pull
    request without a label is better than none, and its text names those who know the code.
    """
    if not wanted.labels and not wanted.reviewers:
        return
    try:
        ever = Attention() if is_new else await forge.attention(wanted.repository, found.number)
    except Denied:
        return  # without its history, something that a person undid would be done again
    labels = tuple(label for label in wanted.labels if label.lower() not in ever.labels)
    if labels:
        with contextlib.suppress(Denied):
            await forge.add_labels(wanted.repository, found.number, labels)
    known = {*ever.reviewers, (found.author or "").lower()}
    reviewers = tuple(name for name in wanted.reviewers if name.lower() not in known)
    if reviewers:
        await _ask(reviewers, wanted.repository, found.number, forge)


async def _ask(reviewers: tuple[str, ...], url: str, number: int, forge: Forge) -> None:
    """All at once, or each alone where one of them cannot be asked."""
    try:
        await forge.request_reviews(url, number, reviewers)
    except Denied:
        for name in reviewers if len(reviewers) > 1 else ():
            with contextlib.suppress(Denied):
                await forge.request_reviews(url, number, (name,))
