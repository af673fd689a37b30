"""The limits that any pull request of ours keeps: one for one change, and not too many at once."""

from agents.errors import SelfhealError
from agents.patch import Patch
from agents.pull_request import Forge, Record, Wanted, incident_of, makes_the_same_change, same_fix


class Withheld(SelfhealError):
    """The pull request is not made after all."""

    def __init__(self, *reasons: str, theirs: str | None = None, earlier: tuple[str, ...] = ()) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons
        self.theirs = theirs
        """A person's pull request that makes the change already."""
        self.earlier = earlier
        """Our own pull requests that were merged and did not last."""


class Mended(Withheld):
    """The base branch does not have the fault any more; `fix` is the key of the fix that would have been."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.fix = fix


def twin_of(wanted: Wanted, ours: tuple[Record, ...]) -> Record | None:
    """Another incident's pull request that makes the same change; `ours` are all of this service in the repository.

    A pin of earlier, merged and undone by the next version since, serves nobody any more.
    """
    if is_open(wanted, ours):
        return None
    alive = tuple(one for one in ours if one.state == "open") if wanted.is_pin else ours
    return same_fix(alive, wanted.fix, wanted.incident)


def refuse_too_many(wanted: Wanted, ours: tuple[Record, ...], most: int) -> None:
    """`Withheld` where as many as the policy allows are open already, fixes and pins counted together."""
    others = [one for one in ours if one.state == "open" and not is_for(one, wanted)]
    if not is_open(wanted, ours) and len(others) >= most:
        raise Withheld(too_many(len(others), most))


def too_many(taken: int, most: int) -> str:
    """Why another one is not opened."""
    return (
        f"{taken} pull requests of this service are open in this repository, "
        f"and the policy allows {most}: merge or close one, then retry"
    )


async def refuse_a_second(url: str, base: str, patch: Patch, forge: Forge) -> None:
    """`Withheld` where a person's open pull request against `base` makes this change already."""
    paths = tuple(change.path for change in patch.changes)
    found = makes_the_same_change(await forge.their_pull_requests(url, base, paths), patch.diff)
    if found is not None:
        raise Withheld(f"{found.url} already makes this change", theirs=found.url)


def is_open(wanted: Wanted, ours: tuple[Record, ...]) -> bool:
    """Whether it is there already."""
    return any(one.state == "open" and is_for(one, wanted) for one in ours)


def is_for(record: Record, wanted: Wanted) -> bool:
    """Whether it is this very pull request: one incident may have two, a fix and a pin."""
    return incident_of(record.body) == wanted.incident and record.branch in {wanted.branch, None}
