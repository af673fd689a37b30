"""Runs a repository's code where it can do no harm (DESIGN section 9)."""

from app.adapters.sandbox.box import Box, Limits
from app.adapters.sandbox.bubblewrap import INSIDE, bare_environment

__all__ = ["INSIDE", "Box", "Limits", "bare_environment"]
