"""What GitHub tells of a repository and of who asks, without writing anything."""

from typing import NamedTuple

from github.Repository import Repository

from app.adapters.forge_github.access import Access


class Rights(NamedTuple):
    """What may be done there. An App that may do less than it needs gets no token (identity.PERMISSIONS)."""

    may_push: bool | None
    """None where GitHub does not say."""
    is_archived: bool
    has_issues: bool


async def rights_of(access: Access, url: str) -> Rights:
    """Reads the repository; `Denied` and `Transient` as any call."""
    return await access.call(url, "reading what may be done", _read)


def _read(repository: Repository) -> Rights:
    told = repository.raw_data
    permissions = told.get("permissions")
    push = permissions.get("push") if isinstance(permissions, dict) else None
    return Rights(
        may_push=push if isinstance(push, bool) else None,
        is_archived=told.get("archived") is True,
        has_issues=told.get("has_issues") is not False,
    )
