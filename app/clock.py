"""The one clock of the shell; the core gets its times as arguments."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the clock
