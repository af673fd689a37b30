"""The evidence bundle: what was seen of a failed canary, with every gap and its reason.

The bundle is the seam of the service: capture writes it, everything later reads only it and the
repository, so an incident can be exported, replayed and diagnosed offline by the same code
(DESIGN section 7).
"""

from agents.evidence.applications import ManifestSource, Unlocated, locate_manifests, manifest_source
from agents.evidence.cluster import (
    FIRST,
    KINDS,
    LATER,
    Cluster,
    Cut,
    Kind,
    LogSource,
    LogText,
    Objects,
    Related,
    Side,
    Status,
    Target,
)
from agents.evidence.failing import Failing, Missed, failing_of
from agents.evidence.images import ImageLabels, ImageReference, Registry, running_images, with_labels
from agents.evidence.nouns import Bundle, Citation, Item, Manifest, Trust, Version, cite_lines, holds
from agents.evidence.origin import SourceClaim, annotation_claims, version_of
from agents.evidence.sealing import ITEM_BYTES, Answer, cut_of, from_files, raw_bytes, seal, to_files

__all__ = [
    "FIRST",
    "ITEM_BYTES",
    "KINDS",
    "LATER",
    "Answer",
    "Bundle",
    "Citation",
    "Cluster",
    "Cut",
    "Failing",
    "ImageLabels",
    "ImageReference",
    "Item",
    "Kind",
    "LogSource",
    "LogText",
    "Manifest",
    "ManifestSource",
    "Missed",
    "Objects",
    "Registry",
    "Related",
    "Side",
    "SourceClaim",
    "Status",
    "Target",
    "Trust",
    "Unlocated",
    "Version",
    "annotation_claims",
    "cite_lines",
    "cut_of",
    "failing_of",
    "from_files",
    "holds",
    "locate_manifests",
    "manifest_source",
    "raw_bytes",
    "running_images",
    "seal",
    "to_files",
    "version_of",
    "with_labels",
]
