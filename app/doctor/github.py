"""What the sign-in to GitHub may do in the repositories that the policy names; nothing is written to find out."""

from collections.abc import AsyncIterator, Iterator

from agents.errors import Denied, Invalid, Transient
from agents.policy import Policy
from app.adapters.forge_github import Access, Rights, rights_of
from app.doctor.finding import Finding, fail, ok, warn
from app.github_account import repository_name
from app.settings import Settings

NEEDED = "it needs contents, pull requests and issues: read and write"


async def check_github(settings: Settings, policy: Policy) -> AsyncIterator[Finding]:
    """One repository after another, as far as they are named without wildcards."""
    account = settings.github
    exact = [rule for rule in policy.repositories if not set(rule.match) & set("*?[")]
    if account is None:
        if any(rule.match.startswith("https:") for rule in exact):
            todo = "set SELFHEAL_GITHUB_TOKEN, or SELFHEAL_GITHUB_APP_ID with SELFHEAL_GITHUB_PRIVATE_KEY_FILE"
            yield fail("github", "the policy names repositories, and there is no way to sign in", todo)
        return
    access = Access(account)
    for rule in exact:
        if repository_name(account.web, rule.match) is None:
            continue
        try:
            rights = await rights_of(access, rule.match)
        except (Denied, Transient, Invalid) as error:
            yield fail("github", f"{rule.match}: {error}", f"check that the token or the App reaches it; {NEEDED}")
            continue
        for finding in _findings(rule.match, rights, writes=rule.mode != "observe"):
            yield finding


def _findings(url: str, rights: Rights, *, writes: bool) -> Iterator[Finding]:
    if not writes:
        yield ok("github", f"{url} can be read, and the policy only observes it")
    elif rights.is_archived:
        yield fail("github", f"{url} is archived: nothing can be proposed there", "take it out of the policy")
    elif rights.may_push is False:
        yield fail("github", f"{url}: the sign-in may not push, so no branch can be made", f"{NEEDED}")
    elif rights.may_push is None:
        yield ok("github", f"{url} can be read; GitHub does not say whether the sign-in may push")
    else:
        yield ok("github", f"{url} can be read, and a branch may be pushed")
    if writes and not rights.has_issues:
        todo = "switch issues on: an analysis without a fix is written as one"
        yield warn("github", f"{url} has no issues", todo)
