"""The last strategy: set the GitOps repository back to the stable version, or tell why that is not done.

After an abort Git still names the version that failed. A pin rolls back and cures nothing; that it does what it says is
proven by rendering the manifests, never by a run.
"""

import asyncio
import posixpath
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from agents.changes import Repository, read_manifests
from agents.changes.kustomize import is_kustomization, taken_in
from agents.changes.rendered import Unrendered, root_of
from agents.changes.values import documents
from agents.diagnosis import Diagnosis
from agents.errors import Denied
from agents.evidence import Bundle, ManifestSource, Unlocated
from agents.evidence.applications import application_of
from agents.evidence.origin import dig, mappings
from agents.patch import BY_PIN, EditRejected, Patch, apply_edits
from agents.strategies.pin import Deployed, NotPinned, PinnedAlready, Swap, is_pinned, pin, swaps
from agents.strategies.restarting import Effect, effect_of_pin
from agents.triage import circumstance
from agents.verification import Check, Verification

MOST_KUSTOMIZATIONS = 2000
IMAGE_UPDATER = "argocd-image-updater.argoproj.io/"
KARGO = "kargo.akuity.io/authorized-stage"
REWRITES = ("images", "patches", "components", "namePrefix", "nameSuffix")
"""Parts of an Application's `kustomize` by which it changes the manifests after Git."""
NOT_HEALTH = "the health of the rollout: a pin is proven by rendering the manifests, nothing was run"


class Pin(BaseModel):
    """The change that sets the manifests back, made on the tip of the base branch, and what rendering it showed."""

    model_config = ConfigDict(frozen=True)

    patch: Patch
    verification: Verification
    effect: Effect
    """What merging it sets off."""


class Unpinned(BaseModel):
    """Why there is no pin."""

    model_config = ConfigDict(frozen=True)

    reason: str
    is_done: bool = False
    """Whether there is none because Git names the stable version's image again already."""


def is_worth_pinning(diagnosis: Diagnosis, bundle: Bundle) -> bool:
    """Whether the version itself is at fault; what a person, a metric's error or a full cluster ended is not undone."""
    return diagnosis.category in {"code", "config"} and circumstance(bundle) == "failed"


async def plan_pin(bundle: Bundle, manifests: ManifestSource, base: str, repository: Repository) -> Pin | Unpinned:
    """The pin on the tip of `base`; `manifests` names the repository by the URL that the policy lists."""
    try:
        _refuse_application(bundle, base)
        wanted = swaps(bundle)
        tip = await repository.resolve(f"refs/heads/{base}")
        deployed = await _deployed(bundle, manifests, tip, repository)
        edits = await asyncio.to_thread(pin, deployed, wanted)
        changes = apply_edits(deployed.files, edits)
    except (NotPinned, Denied, EditRejected) as error:
        return Unpinned(reason=str(error), is_done=isinstance(error, PinnedAlready))
    patch = Patch(
        repository=manifests.repo,
        commit=tip,
        strategy=BY_PIN,
        why=_why(bundle.manifest.rollout, wanted),
        edits=edits,
        changes=changes,
    )
    effect = effect_of_pin(bundle, {swap.container: swap.stable for swap in wanted})
    return Pin(patch=patch, verification=await prove(patch, bundle, manifests, repository), effect=effect)


async def prove(patch: Patch, bundle: Bundle, manifests: ManifestSource, repository: Repository) -> Verification:
    """What the manifests give the rollout before and after the patch, rendered from the commit that it is made on."""
    wanted = swaps(bundle)
    deployed = await _deployed(bundle, manifests, patch.commit, repository)
    files = dict(deployed.files)
    for change in patch.changes:
        files.pop(change.path, None)
        if change.after is not None:
            files[change.path] = change.after
    try:
        was = await asyncio.to_thread(is_pinned, deployed, wanted)
        now = await asyncio.to_thread(is_pinned, deployed._replace(files=files), wanted)
    except (NotPinned, Unrendered) as error:
        was, now, why = False, False, str(error)
    else:
        why = "the rendered objects do not have the stable version's image"
    what = ", ".join(f"{swap.container}: {swap.canary if not was else swap.stable}" for swap in wanted)
    then = ", ".join(f"{swap.container}: {swap.stable}" for swap in wanted) if now else why
    nothing = Check(result="not_run", reason="a pin changes no code")
    return Verification(
        kind="render",
        verdict="unverified" if now else "refuted",
        before=Check(result="not_run", reason=what),
        after=Check(result="not_run", reason=then),
        tests_before=nothing,
        tests_after=nothing,
        unchecked=(NOT_HEALTH,) if now else (why,),
    )


def _why(rollout: str, wanted: tuple[Swap, ...]) -> str:
    told = "; ".join(f"{swap.container} from {swap.canary} to {swap.stable}" for swap in wanted)
    return f"Sets {rollout} back to what its stable version runs: {told}."


def _refuse_application(bundle: Bundle, base: str) -> None:
    """What deploys the rollout may take its images from elsewhere than Git, or write them there itself."""
    application = application_of(bundle)
    if isinstance(application, Unlocated):
        raise NotPinned(application.reason)
    annotations = dig(application, "metadata", "annotations")
    if any(str(key).startswith(IMAGE_UPDATER) for key in annotations):
        raise NotPinned(
            "Argo CD Image Updater writes the images of this Application, and would write the newer one back"
        )
    if KARGO in annotations:
        raise NotPinned("Kargo promotes the images of this Application: promote the stable version's freight there")
    spec = dig(application, "spec")
    for source in (dig(spec, "source"), *mappings(spec.get("sources"))):
        if source.get("helm") or source.get("chart"):
            raise NotPinned("the Application renders a Helm chart, whose values are not edited here")
        if source.get("plugin"):
            raise NotPinned("a plugin of Argo CD generates the manifests")
        rewrites = [key for key in REWRITES if dig(source, "kustomize").get(key)]
        if rewrites:
            raise NotPinned(f"the Application changes the manifests itself (kustomize.{rewrites[0]})")
        follows = str(source.get("targetRevision") or "HEAD")
        if source.get("path") and follows.removeprefix("refs/heads/") not in {"HEAD", base}:
            raise NotPinned(f"the Application follows {follows}, and the policy proposes against {base}")


async def _deployed(bundle: Bundle, manifests: ManifestSource, commit: str, repository: Repository) -> Deployed:
    """The manifests at a commit, and who else takes their files in."""
    folder = manifests.path.strip("/") if manifests.path.strip("/.") else ""
    tree = await repository.files(commit)
    beside = [path for path in tree if posixpath.dirname(path) == folder]
    if any(posixpath.basename(path) == "Chart.yaml" for path in beside):
        raise NotPinned(f"{folder or 'the folder'} is a Helm chart, whose values are not edited here")
    if any(posixpath.basename(path).startswith(".argocd-source") for path in beside):
        raise NotPinned("Argo CD Image Updater writes the images of this folder, and would write the newer one back")
    files = await read_manifests(repository, commit, manifests)
    others = [path for path in tree if is_kustomization(path) and path not in files]
    if len(others) > MOST_KUSTOMIZATIONS:
        raise NotPinned(f"the repository has more than {MOST_KUSTOMIZATIONS} kustomizations")
    texts = await repository.read_all(commit, others)
    target = bundle.target
    rollouts = [one for one in bundle.objects("rollout") if dig(one, "metadata").get("name") == target.rollout]
    reference = next((dig(one, "spec", "workloadRef").get("name") for one in rollouts), None)
    return Deployed(
        files=files,
        root=root_of(folder, files),
        elsewhere=await asyncio.to_thread(_taken_in_elsewhere, files, texts),
        rollout=target.rollout,
        namespace=target.namespace,
        workload=str(reference or ""),
    )


def _taken_in_elsewhere(files: Mapping[str, str], others: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Which of these files other kustomizations take in, directly or through folders."""
    everything = {**others, **files}
    named = {
        path: [one for document in documents(text) for one in taken_in(path, document)]
        for path, text in everything.items()
        if is_kustomization(path)
    }
    users: dict[str, list[str]] = {}
    for start in others:
        waiting, seen = [start], {start}
        while waiting:
            for one in named.get(waiting.pop(), []):
                found = one if one in everything else root_of(one, everything)
                if found is not None and found not in seen:
                    seen.add(found)
                    waiting.append(found)
        for path in seen & files.keys():
            users.setdefault(path, []).append(start)
    return {path: tuple(sorted(found)) for path, found in users.items()}
