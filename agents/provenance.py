"""Which code ran: what the evidence says of each version, in the order of trust, held against the repository itself.

The order is that of argo-contract 3.4: annotations, what the builder wrote on the image that ran, what the GitOps
commit refers to, the image's tag. The first answer whose commit is in a repository that the policy lists is taken;
the others become notes. A branch is the last resort: it may name another commit by now. Nothing that is said here
can widen the list of repositories.
"""

import fnmatch
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from agents.changes import Repositories, Repository
from agents.errors import Denied
from agents.evidence import (
    Bundle,
    ManifestSource,
    Registry,
    SourceClaim,
    Version,
    annotation_claims,
    locate_manifests,
    running_images,
    with_labels,
)
from agents.evidence.images import REVISION, SOURCE, RunningImage, Side, distinct_tags, labels_of
from agents.evidence.origin import label

HEX = re.compile(r"[0-9a-fA-F]{7,40}")
TAG = re.compile(r"[A-Za-z0-9](?:[\w+-]|[./](?![./]|$)){0,199}", re.ASCII)
TAGGED_SHA = re.compile(r"(?:^|.*[._-]g?)([0-9a-f]{7,40})")
VERSION_TAG = re.compile(r"v?\d+(?:\.\d+)+(?:[.-][\w.-]+)?", re.ASCII)
TRAILER = re.compile(r"^Argocd-reference-commit-(repourl|sha):[ \t]*(\S{1,500})[ \t]*$", re.MULTILINE | re.IGNORECASE)
SCP = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!/)(.+)")
MOST_MESSAGES = 20
"""GitOps commits between the two versions whose messages are read for a reference."""


class ImageRule(BaseModel):
    """One entry of `images` in the server policy: the source repository of images that say nothing themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str = Field(description="`registry/repository` of the image; `*` and `?` are wildcards. The first counts.")
    repo: str = Field(description="URL of the source repository; it needs an entry in `repositories` too.")
    path: str | None = Field(default=None, description="Folder of the service in that repository.")


class Identified(BaseModel):
    """The bundle whose manifest names both versions as far as they could be verified, and what was rejected, why."""

    model_config = ConfigDict(frozen=True)

    bundle: Bundle
    notes: tuple[str, ...]


async def identify(
    bundle: Bundle,
    repositories: Repositories,
    listed: Callable[[str], str | None],
    *,
    registry: Registry | None = None,
    images: Sequence[ImageRule] = (),
    known: Sequence[str] = (),
) -> Identified:
    """Find out the source commit of both versions.

    `listed` gives the URL under which the policy lists a repository, None where it does not; `known` are the URLs to
    try for answers that name a commit but no repository.
    """
    search = _Search(bundle, repositories, listed, registry, images, known)
    canary = await search.find("canary", None)
    stable = await search.find("stable", canary.repo if canary.commit else None)
    manifest = search.bundle.manifest.model_copy(update={"canary": canary, "stable": stable})
    notes = [*search.notes, *(why for url, why in search.passed_over.items() if url != canary.repo)]
    return Identified(bundle=search.bundle.model_copy(update={"manifest": manifest}), notes=tuple(dict.fromkeys(notes)))


class _Search:
    """One bundle's search: repositories are opened once, and every answer that is passed over leaves a note."""

    def __init__(
        self,
        bundle: Bundle,
        repositories: Repositories,
        listed: Callable[[str], str | None],
        registry: Registry | None,
        images: Sequence[ImageRule],
        known: Sequence[str],
    ) -> None:
        self.bundle = bundle
        self._registry = registry
        self._repositories = repositories
        self._listed = listed
        self._images = images
        self._named = list(known)
        self._opened: dict[str, Repository] = {}
        self.passed_over: dict[str, str] = {}
        """Why a repository was not looked into, by its URL. Of the canary's the case itself will say so."""
        self.notes: list[str] = []
        located = locate_manifests(bundle)
        self._manifests = located if isinstance(located, ManifestSource) else None
        self._gitops = listed(self._manifests.repo) if self._manifests else None

    async def find(self, side: Side, only: str | None) -> Version:
        """The version with its verified commit. `only` is the other version's repository: no other can be compared."""
        version: Version = getattr(self.bundle.manifest, side)
        images = running_images(self.bundle, side)
        first: tuple[str, SourceClaim] | None = None
        path = self._map(images)
        async for claim in self._claims(side, images):
            url = self._url(claim, side)
            if claim.repo is not None and url is None:
                continue
            if url is not None and first is None:
                first = url, claim
            if claim.revision is None:
                continue
            for candidate in [url] if url is not None else list(self._named):
                sha = await self._verify(candidate, claim, side, only)
                if sha is not None:
                    update = {"repo": candidate, "commit": sha, "path": claim.path or path}
                    return version.model_copy(
                        update=update | {"found_by": claim.found_by, "confidence": claim.confidence}
                    )
        if first is None and version.repo is not None and self._listed(version.repo) is not None:
            return Version(hash=version.hash, images=version.images)  # a repository that may be read, and is no source
        if first is None:  # as it was claimed: nobody could look
            return version.model_copy(update={"confidence": "low"} if version.repo or version.commit else {})
        url, claim = first
        tip = await self._tip(url, claim, side)
        update = {"repo": url, "commit": tip, "path": claim.path or path, "found_by": claim.found_by}
        return version.model_copy(update=update | {"confidence": "low"})

    async def _tip(self, url: str, claim: SourceClaim, side: Side) -> str | None:
        """Where nothing better is known, the tip of the branch that somebody wrote down for us, and a warning."""
        repository = await self._open(url)
        revision = claim.revision or ""
        if repository is None or not claim.for_us or HEX.fullmatch(revision) or not TAG.fullmatch(revision):
            return None
        try:
            sha = await repository.resolve(f"refs/heads/{revision}")
        except Denied:
            return None
        self._note(side, f"{revision} is a branch, which may have moved on since the version was built")
        return sha

    def _map(self, images: Iterable[RunningImage]) -> str | None:
        """Names the repository that the policy gives an image; returns the service's folder in it."""
        for image in images:
            name = f"{image.named.registry}/{image.named.repository}"
            rule = next((rule for rule in self._images if fnmatch.fnmatchcase(name, rule.match)), None)
            url = self._listed(rule.repo) if rule is not None else None
            if rule is not None and url is not None:
                self._name(url)
                return rule.path
        return None

    def _name(self, url: str) -> None:
        if url not in self._named:
            self._named.append(url)

    def _url(self, claim: SourceClaim, side: Side) -> str | None:
        """The URL under which the policy lists the repository of a claim."""
        url = self._listed(claim.repo) if claim.repo is not None else None
        if url is not None and claim.confidence == "low" and url == self._gitops:
            self._note(side, f"{claim.found_by} name the GitOps repository")
            return None
        if url is not None and claim.confidence != "low":
            self._name(url)
        if claim.repo is not None and url is None:
            said = (
                f"source of the {side} version: {claim.found_by} name {claim.repo}, for which the policy has no entry"
            )
            self.passed_over.setdefault(claim.repo, said)
        return url

    async def _verify(self, url: str, claim: SourceClaim, side: Side, only: str | None) -> str | None:
        if only is not None and url != only:
            self._note(side, f"{claim.found_by} name another repository than the canary's: {url}")
            return None
        repository = await self._open(url)
        if repository is None or claim.revision is None:
            return None
        sha = await commit_of(repository, claim.revision)
        if sha is None:
            self._note(side, f"{claim.found_by}: {claim.revision} is no commit or tag of {url}")
        return sha

    async def _open(self, url: str) -> Repository | None:
        if url not in self._opened and url not in self.passed_over:
            try:
                self._opened[url] = await self._repositories.open(url)
            except Denied as error:
                self.passed_over[url] = f"the repository {url} cannot be read: {error}"
        return self._opened.get(url)

    def _note(self, side: Side, text: str) -> None:
        self.notes.append(f"source of the {side} version: {text}")

    async def _claims(self, side: Side, images: Sequence[RunningImage]) -> AsyncIterator[SourceClaim]:
        """Everything that names the code of one version, the most trusted first."""
        version: Version = getattr(self.bundle.manifest, side)
        replica_set = next((one for one in self.bundle.objects("replicaset") if label(one) == version.hash), None)
        if replica_set is None:
            yield _written(version)
        rollouts = self.bundle.objects("rollout") if side == "canary" else ()
        for claim in annotation_claims(version.hash, replica_set, next(iter(rollouts), None)):
            yield claim
        if self._registry is not None:
            self.bundle = await with_labels(self.bundle, self._registry)
        for claim in self._label_claims(side, images):
            yield claim
        async for claim in self._referred(side):
            yield claim
        for tag in distinct_tags(images):
            for revision in tag_revisions(tag):
                trust = "medium" if HEX.fullmatch(revision) else "low"
                yield SourceClaim(repo=None, revision=revision, found_by=f"the image tag {tag}", confidence=trust)
        if replica_set is not None:  # what was found before comes after what it was found by: looking again is the same
            yield _written(version)

    def _label_claims(self, side: Side, images: Sequence[RunningImage]) -> Iterator[SourceClaim]:
        """What is written on the images that ran. Base images hand their labels down, so equal ones prove nothing."""
        others = {one.container: one for one in running_images(self.bundle, "canary" if side == "stable" else "stable")}
        for image in images:
            other = others.get(image.container)
            foreign = dict(labels_of(self.bundle, other)) if other and other.ran != image.ran else {}
            for place, labels in labels_of(self.bundle, image):
                repo, revision = labels.get(SOURCE), labels.get(REVISION)
                if repo is None:
                    continue
                if revision is not None and foreign.get(place, {}).get(REVISION) == revision:
                    self._note(
                        side, f"two different images of {image.container} carry the same {place}: of their base image"
                    )
                    continue
                yield SourceClaim(
                    repo=repo,
                    revision=revision,
                    found_by=f"{place}s of the image of {image.container}",
                    confidence="high",
                )

    async def _referred(self, side: Side) -> AsyncIterator[SourceClaim]:
        """The source commit that the GitOps commits refer to in their trailers."""
        repository = await self._open(self._gitops) if self._gitops is not None else None
        if repository is None or self._manifests is None:
            return
        for sha in await _gitops_commits(repository, self._manifests, side):
            said = {key.lower(): value for key, value in TRAILER.findall(await repository.message(sha))}
            if "repourl" in said and "sha" in said:
                found_by = f"trailers of the GitOps commit {sha[:12]}"
                yield SourceClaim(repo=said["repourl"], revision=said["sha"], found_by=found_by, confidence="medium")


def _written(version: Version) -> SourceClaim:
    """What the bundle's own manifest says."""
    return SourceClaim(
        repo=version.repo,
        revision=version.commit,
        path=version.path,
        found_by=version.found_by or "the bundle",
        confidence=version.confidence or "medium",
        for_us=version.confidence in {"high", None},
    )


async def _gitops_commits(repository: Repository, manifests: ManifestSource, side: Side) -> list[str]:
    """The commit that was deployed; for the canary also those that brought it there and touch its folder."""
    try:
        tip = await repository.resolve(getattr(manifests, side))
        if side == "stable":
            return [tip]
        between = await repository.commits(await repository.resolve(manifests.stable), tip)
    except Denied:
        return []
    folder = manifests.path.strip("/")
    touching = [one.sha for one in between if not folder or f" b/{folder}/" in one.diff or f" a/{folder}/" in one.diff]
    return list(dict.fromkeys([tip, *touching[:MOST_MESSAGES]]))


async def commit_of(repository: Repository, revision: str) -> str | None:
    """The full id of the commit that an abbreviated id or a tag names; None for anything else, branches included."""
    names = []
    if HEX.fullmatch(revision):
        names.append((revision.lower(), revision.lower()))
    if TAG.fullmatch(revision):
        tags = dict.fromkeys((revision, f"v{revision}", revision.removeprefix("v")))
        names += [(f"refs/tags/{tag}", "") for tag in tags]
    for name, start in names:
        try:
            sha = await repository.resolve(name)
        except Denied:
            continue
        if sha.startswith(start):  # a branch may be called like an abbreviated commit id
            return sha
    return None


def tag_revisions(tag: str) -> tuple[str, ...]:
    """What an image tag may name: `sha-<hex>`, `<branch>-<hex>`, `<n>-g<hex>`, `<hex>`, or a version's git tag."""
    found = TAGGED_SHA.fullmatch(tag)
    return (*((found[1],) if found else ()), *((tag,) if VERSION_TAG.fullmatch(tag) else ()))


def spellings(url: str) -> tuple[str, ...]:
    """The ways to write a repository's URL that a policy may use, the plainest first, without anybody's password."""
    text = url.strip().removeprefix("git+")
    scp = SCP.fullmatch(text)
    if scp and "://" not in text:
        text = f"https://{scp[1]}/{scp[2]}"
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "") + (f":{parts.port}" if parts.port and parts.scheme == "https" else "")
    except ValueError:
        return ()
    if parts.scheme not in {"https", "ssh", "git"}:
        return (text,) if "@" not in text else ()
    path = parts.path.rstrip("/").removesuffix(".git")
    plain = f"https://{host}{path}"
    as_is = (text,) if parts.username is None and parts.password is None else ()
    return tuple(dict.fromkeys((plain, f"{plain}.git", *as_is)))
