"""Live clusters behind the `Cluster` port, on the asynchronous Kubernetes client with raw JSON."""

from app.adapters.cluster.connection import Connection
from app.adapters.cluster.contexts import in_cluster, load_contexts
from app.adapters.cluster.live import LiveCluster

__all__ = ["Connection", "LiveCluster", "in_cluster", "load_contexts"]
