"""`selfheal diagnose`: the service's triage and rules on a bundle or on plain log files, offline. Only reads."""

from functools import partial
from pathlib import Path

from agents.changes import Repository
from agents.diagnosis import Diagnosis, diagnose
from agents.errors import Denied, Invalid
from agents.evidence import ITEM_BYTES, Answer, Bundle, Side, cut_of, manifest_source, raw_bytes, seal
from agents.incident import Incident
from agents.logs import cut_bytes
from agents.provenance import identify, spellings
from agents.triage import triage
from app.adapters.bundle_dir import read_bundle
from app.adapters.checkout import GitRepository
from app.clock import utc_now

PART_BYTES = 1024 * 1024
"""Of a log, read at once."""

Answered = tuple[Diagnosis, tuple[str, ...]]
"""The diagnosis, and what could not be looked at."""


async def diagnose_bundle(path: Path, repo: Path, manifests: Path | None) -> Answered:
    """Diagnose a sealed bundle against a local repository; `manifests` is the GitOps repository, if at hand."""
    bundle = read_bundle(path)
    source = await GitRepository.at(repo)
    gitops = await GitRepository.at(manifests) if manifests else None
    located = manifest_source(bundle)
    given = _Given(source, gitops, _canonical(located.repo) if located else None)
    found = (await identify(bundle, given, _canonical, known=(str(repo),))).bundle
    for claimed, version in (
        (bundle.manifest.stable, found.manifest.stable),
        (bundle.manifest.canary, found.manifest.canary),
    ):
        if claimed.commit is not None and version.commit is None:
            raise Invalid(f"the revision {claimed.commit} is no commit or tag of the repository {repo}")
    return await _diagnose(found, source, gitops)


class _Given:
    """`Repositories` of two folders that a person named: the manifests' by its URL, the source for every other."""

    def __init__(self, source: Repository, manifests: Repository | None, manifests_url: str | None) -> None:
        self._source = source
        self._manifests = manifests
        self._manifests_url = manifests_url

    async def open(self, url: str) -> Repository:
        return self._manifests if self._manifests is not None and url == self._manifests_url else self._source


def _canonical(url: str) -> str:
    """One spelling for each repository; whoever names the folder has allowed what it is called."""
    return next(iter(spellings(url)), url)


async def diagnose_logs(canary_log: Path, stable_log: Path | None, repo: Path, stable: str, canary: str) -> Answered:
    """Diagnose plain log files and the two revisions that wrote them."""
    source = await GitRepository.at(repo)
    commits = {"stable": await _require(source, stable), "canary": await _require(source, canary)}
    answers = [_log_answer("canary", canary_log)]
    if stable_log is not None:
        answers.append(_log_answer("stable", stable_log))
    incident = Incident(
        cluster="local",
        namespace="local",
        rollout=canary_log.stem,
        uid="local",
        canary_hash="canary",
        revision="",
        stable_hash="stable",
    )
    bundle = seal(incident, 1, answers, utc_now())
    manifest = bundle.manifest.model_copy(
        update={
            side: version.model_copy(update={"commit": commits[side], "found_by": "the command line"})
            for side, version in (("stable", bundle.manifest.stable), ("canary", bundle.manifest.canary))
        }
    )
    return await _diagnose(bundle.model_copy(update={"manifest": manifest}), source, None)


async def _diagnose(bundle: Bundle, source: Repository, manifests: Repository | None) -> Answered:
    findings = await triage(bundle, source, manifests)
    return diagnose(findings), findings.notes


async def _require(source: GitRepository, revision: str) -> str:
    try:
        return await source.resolve(revision)
    except Denied as error:
        raise Invalid(str(error)) from error


def _log_answer(side: Side, path: Path) -> Answer:
    try:
        if not path.is_file():
            raise Invalid(f"there is no log file {path}")
        if path.stat().st_size > ITEM_BYTES:
            with path.open("rb") as file:
                short = cut_bytes(iter(partial(file.read, PART_BYTES), b""), raw_bytes(ITEM_BYTES))
            text, cut = short.text, cut_of(short)
        else:
            text, cut = path.read_bytes().decode("utf-8", "replace"), None
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error}") from error
    item = f"logs/{side}/local/app"
    return Answer(id=item, kind="log", side=side, status="ok" if text else "empty", content=text or None, cut=cut)
