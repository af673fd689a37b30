"""Fetches the packages of a repository outside of the sandbox, and executes nothing of it."""

from app.adapters.dependencies.packages import Packages
from app.adapters.dependencies.tools import Indexes, Place

__all__ = ["Indexes", "Packages", "Place"]
