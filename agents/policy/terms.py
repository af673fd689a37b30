"""What a diff that a model wrote must keep to besides the rest."""

from pydantic import BaseModel, ConfigDict


class ModelTerms(BaseModel):
    """What a diff that a model wrote must keep to besides, read from the trusted base commit."""

    model_config = ConfigDict(frozen=True)

    allow: tuple[str, ...] = ()
    """`allow` of `.selfheal.yml`."""
    paths: frozenset[str] = frozenset()
    """Every file of the commit."""


STRICTEST = ModelTerms()
