"""Runs a repository's code where it can do no harm (DESIGN section 9)."""

from app.adapters.sandbox.box import Box, Limits

__all__ = ["Box", "Limits"]
