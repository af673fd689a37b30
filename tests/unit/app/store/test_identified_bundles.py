"""A stored bundle learns which code its versions are; what was captured stays as it was."""

from agents.evidence import Answer, ImageLabels, ImageReference, seal
from agents.evidence.images import REVISION, SOURCE, with_labels
from agents.incident import Incident
from app.store import bundles, incidents
from app.store.database import Database
from tests.fakes import START

DIGEST = "sha256:" + "b" * 64


class OneRegistry:
    async def labels(self, image: ImageReference) -> ImageLabels:
        return ImageLabels(status="ok", labels={SOURCE: f"https://git.example/{image.repository}", REVISION: "abc1234"})


async def test_versions_and_new_items_are_kept_and_old_items_stay(db: Database) -> None:
    incident = Incident(
        cluster="eu", namespace="shop", rollout="checkout", uid="u", canary_hash="bad", revision="2", stable_hash="good"
    )
    attempt = (await incidents.open_manual(db, incident, "ops", START)).attempt
    labels = {"rollouts-pod-template-hash": "bad"}
    ran = [{"name": "app", "imageID": f"registry.example/acme/shop@{DIGEST}"}]
    pod = {
        "metadata": {"name": "p", "labels": labels},
        "spec": {"containers": [{"name": "app", "image": "registry.example/acme/shop:2"}]},
        "status": {"containerStatuses": ran},
    }
    sealed = seal(
        incident, 1, [Answer(id="objects/pod/p", kind="object", side="canary", status="ok", content=pod)], START
    )
    await bundles.save(db, attempt.id, sealed)
    richer = await with_labels(sealed, OneRegistry())
    canary = richer.manifest.canary.model_copy(update={"repo": "https://git.example/acme/shop", "commit": "f" * 40})
    known = richer.model_copy(update={"manifest": richer.manifest.model_copy(update={"canary": canary})})
    for _ in range(2):
        await bundles.identified(db, attempt.id, known)
    stored = await bundles.load(db, attempt.id)
    assert stored == known
    assert stored.contents["objects/pod/p"] == sealed.contents["objects/pod/p"]
    assert "objects/image/" + "b" * 32 in stored.contents
