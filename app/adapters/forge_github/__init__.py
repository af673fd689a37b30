"""GitHub through PyGithub: signing in, and the `Forge` port on its REST and Git Data APIs."""

from app.adapters.forge_github.access import Access
from app.adapters.forge_github.forge import GitHubForge
from app.adapters.forge_github.rights import Rights, rights_of

__all__ = ["Access", "GitHubForge", "Rights", "rights_of"]
