"""The `Forge` port on a folder, for trying the service out and for its tests."""

from app.adapters.forge_local.forge import LocalForge

__all__ = ["LocalForge"]
