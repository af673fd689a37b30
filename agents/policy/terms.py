"""What a diff is judged against besides the rules."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class ModelTerms(BaseModel):
    """What a diff that a model wrote must keep to besides, read from the trusted base commit."""

    model_config = ConfigDict(frozen=True)

    allow: tuple[str, ...] = ()
    """`allow` of `.selfheal.yml`."""
    paths: frozenset[str] = frozenset()
    """Every file of the commit."""


STRICTEST = ModelTerms()


class Background(BaseModel):
    """What there was when all was well, and what is known of the failure."""

    model_config = ConfigDict(frozen=True)

    stable: Mapping[str, str | None] = {}
    """The stable version's text of the files that the diff changes, as far as it is known; None where it has none."""
    grounds: str = ""
    """The diagnosis and the evidence it quotes, as text."""


NOTHING_KNOWN = Background()
