"""GitHub through PyGithub: signing in, and the `Forge` port on its REST and Git Data APIs."""

from app.adapters.forge_github.access import Access
from app.adapters.forge_github.forge import GitHubForge

__all__ = ["Access", "GitHubForge"]
