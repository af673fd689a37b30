"""Repositories on disk through the `git` command: mirrors that are fetched, commits that are laid out."""

from app.adapters.checkout.mirrors import Mirrors
from app.adapters.checkout.repository import GitRepository
from app.adapters.checkout.trees import Trees

__all__ = ["GitRepository", "Mirrors", "Trees"]
