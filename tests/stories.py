"""Cases as a report tells them: the kind of failure that the service is for, with genuine-looking evidence."""

from typing import Literal

from agents.diagnosis import Claim, Diagnosis, Location
from agents.evidence import Citation, Failing, Item, Manifest, Missed
from agents.evidence.nouns import Version
from agents.patch import FileChange, Patch
from agents.pinning import NOT_HEALTH
from agents.remarks import Beside, Merging, Tried
from agents.report import Convention, Links, Reviewer, Story
from agents.verification import Check, Verification
from tests.fakes import START

Kind = Literal["replay", "start", "latency", "render", "none"]
KEY = "4f1c0a9be2d87351a06c3e5f9b284d70"
CULPRIT = "9b2e6f10c4d85a7713e0b4c2a96f8d5501e7a3bc"
CANARY = "51c07d2f9e8b6a43d0172c5be9f4a8637d0e1b92"
URL = "https://git.example/acme/checkout"
TRACE = """\
Traceback (most recent call last):
  File "/app/checkout/server.py", line 41, in do_GET
    answer = self.routes[path](rest)
             ^^^^^^^^^^^^^^^^^^^^^^^
  File "/app/checkout/basket.py", line 27, in total
    return sum(row["price"] * row["count"] for row in rows)
  File "/app/checkout/basket.py", line 27, in <genexpr>
    return sum(row["price"] * row["count"] for row in rows)
               ~~~^^^^^^^^^
KeyError: 'price'"""

BUNDLE = Manifest(
    incident=KEY,
    attempt=1,
    cluster="eu-west",
    namespace="shop",
    rollout="checkout",
    uid="0d0e6a4c-77bc-4b39-9f0d-0a9b2f6f1f55",
    revision="7",
    strategy="canary",
    stable=Version(hash="7c9d8f6b5", repo=URL, commit="c3a9" + "0d" * 18),
    canary=Version(hash="5f8b9d7c4", repo=URL, commit=CANARY),
    captured_at=START,
    items=(
        Item(id="logs/canary/checkout-5f8b9d7c4-x2v7q/app", kind="log", side="canary", path="x", status="ok"),
        Item(
            id="logs/canary/checkout-5f8b9d7c4-k8m2z/app",
            kind="log",
            side="canary",
            path="y",
            status="gone",
            reason="the pod was deleted before its log was read",
        ),
    ),
)
DIAGNOSIS = Diagnosis(
    category="code",
    summary=f"KeyError: 'price'; commit {CULPRIT[:12]} (Rename price to amount in the catalogue): it took away "
    "'price', which the error misses",
    confidence="high",
    location=Location(file="checkout/basket.py", line=27, function="total"),
    culprit_commit=CULPRIT,
    suspects=(),
    claims=(
        Claim(
            text="the canary raises KeyError: 'price' at checkout/basket.py:27 in <genexpr>",
            evidence=(Citation(ref="logs/canary/checkout-5f8b9d7c4-x2v7q/app#L118-127", quote=TRACE),),
        ),
    ),
    strategy="revert",
    repository="source",
)
PATCH = Patch(
    repository=URL,
    commit=CANARY,
    strategy="revert",
    why=f'Takes back what commit {CULPRIT[:12]} ("Rename price to amount in the catalogue") changed in '
    "checkout/catalogue.py.",
    edits=(),
    changes=(
        FileChange(
            path="checkout/catalogue.py",
            before='ROWS = {\n    "10": {"name": "kettle", "amount": 30},\n}\n',
            after='ROWS = {\n    "10": {"name": "kettle", "price": 30},\n}\n',
        ),
    ),
)
RUN = "python3 -m checkout --port {port}  <-  GET /basket/10"
TESTS = Check(result="passed", command="python3 -m unittest", output="Ran 5 tests in 0.012s\n\nOK")
VERIFIED = Verification(
    kind="replay",
    verdict="verified",
    before=Check(
        result="failed", command=RUN, output=f"GET /basket/10\n{TRACE}", reason="the same exception again; answers: 500"
    ),
    after=Check(result="passed", command=RUN, output="GET /basket/10 200\n" * 3, reason="answers: 200, 200, 200"),
    tests_before=TESTS,
    tests_after=TESTS,
    unchecked=("DB_PASSWORD: a stand-in, since Secret checkout-db is not read",),
)
NOT_SEEN = Check(result="not_run", reason="the failure was not seen again before the patch")
UNVERIFIED = Verification(
    kind="replay",
    verdict="unverified",
    before=Check(result="passed", command=RUN, output="GET /basket/10 200", reason="answers: 200"),
    after=NOT_SEEN,
    tests_before=TESTS,
    tests_after=NOT_SEEN,
    unchecked=("the failure could not be seen again: the canary's code passed here",),
)
REFUTED = VERIFIED.model_copy(
    update={
        "verdict": "refuted",
        "after": VERIFIED.before,
        "unchecked": ("the failure is still there after the patch", *VERIFIED.unchecked),
    }
)
TRIED = (
    Tried(
        strategy="revert",
        what=f'Takes back what commit {CULPRIT[:12]} ("Rename price to amount in the catalogue") changed in '
        "checkout/catalogue.py.",
        because="the repository's own tests pass before the patch and fail after it",
    ),
    Tried(
        strategy="revert",
        what=f'Takes back all of commit {CULPRIT[:12]} ("Rename price to amount in the catalogue").',
        because="the failure is still there after the patch",
    ),
)
GITOPS = "https://git.example/acme/gitops"
OVERLAY = "images:\n  - name: registry.example/checkout\n    newTag: 2.4.0\n"
PIN = Patch(
    repository=GITOPS,
    commit="7d" * 20,
    strategy="pin",
    why="Sets checkout back to what its stable version runs: app from registry.example/checkout:2.4.0 to "
    "registry.example/checkout:2.3.1.",
    edits=(),
    changes=(
        FileChange(path="overlays/prod/kustomization.yaml", before=OVERLAY, after=OVERLAY.replace("2.4.0", "2.3.1")),
    ),
)
NOTHING = Check(result="not_run", reason="a pin changes no code")
PIN_RENDERED = Verification(
    kind="render",
    verdict="unverified",
    before=Check(result="not_run", reason="app: registry.example/checkout:2.4.0"),
    after=Check(result="not_run", reason="app: registry.example/checkout:2.3.1"),
    tests_before=NOTHING,
    tests_after=NOTHING,
    unchecked=(NOT_HEALTH,),
)
FAILING = Failing(
    at=START,
    message='RolloutAborted: Rollout aborted update to revision 7: Metric "success-rate" assessed Failed',
    missed=(
        Missed(
            name="success-rate",
            phase="Failed",
            values=("0.62", "0.58"),
            conditions=(("successCondition", "result >= 0.95"),),
            verdict="failed (2) > failureLimit (1)",
        ),
    ),
)
LINKS = Links(
    location=f"{URL}/blob/{CANARY}/checkout/basket.py#L27",
    culprit=f"{URL}/commit/{CULPRIT}",
    canary=f"{URL}/commit/{CANARY}",
    stable=f"{URL}/commit/{BUNDLE.stable.commit}",
    patched=f"{URL}/commit/{CANARY}",
)
STORY = Story(
    bundle=BUNDLE,
    diagnosis=DIAGNOSIS,
    failing=FAILING,
    patch=PATCH.model_copy(update={"undoes": CULPRIT}),
    verification=VERIFIED,
    links=LINKS,
    reviewers=(
        Reviewer(name="ana", why=f"wrote {CULPRIT[:12]}"),
        Reviewer(name="acme/payments", why="owns checkout/catalogue.py"),
    ),
)
"""A verified revert."""


def _run(kind: Kind, command: str, before: str, after: str) -> Verification:
    """A verification of another kind, red before and green after for these reasons."""
    red, green = (
        Check(result=result, command=command, reason=reason)
        for result, reason in (("failed", before), ("passed", after))
    )
    return VERIFIED.model_copy(update={"kind": kind, "before": red, "after": green, "unchecked": ()})


STARTED = STORY.model_copy(
    update={
        "verification": _run(
            "start",
            "python3 -m checkout --port {port}",
            "it died with exit code 1 and the same exception",
            "it listened for 5 s",
        )
    }
)
TIMED = STORY.model_copy(
    update={
        "verification": _run(
            "latency",
            "python3 -m checkout --port {port}  <-  GET /basket/10, 30 times",
            "median 412 ms, 8.2 times the stable version's 50 ms",
            "median 51 ms, 1.02 times the stable version's",
        )
    }
)
MANIFESTS = "https://git.example/acme/deploy"
NOTHING_RUN = Check(result="not_run", reason="the evidence holds no trace to look for again")
RENDERED = STORY.model_copy(
    update={
        "diagnosis": DIAGNOSIS.model_copy(
            update={
                "category": "config",
                "summary": "the image registry.example/shop/checkout:2.4.1 does not exist; commit "
                f"{CULPRIT[:12]} (Release checkout 2.4.1): it changed newTag",
                "location": Location(file="overlays/eu/kustomization.yaml", line=9),
                "claims": (
                    Claim(
                        text="the canary's image cannot be pulled",
                        evidence=(
                            Citation(
                                ref="objects/pod/checkout-5f8b9d7c4-x2v7q#/status/containerStatuses/0/state/waiting",
                                quote='{"reason": "ImagePullBackOff", "message": "not found"}',
                            ),
                        ),
                    ),
                ),
                "strategy": "restore",
                "repository": "manifests",
            }
        ),
        "failing": Failing(at=START, message="RolloutAborted: ReplicaSet has timed out progressing."),
        "patch": Patch(
            repository=MANIFESTS,
            commit=CANARY,
            strategy="restore",
            why="Gives this line of overlays/eu/kustomization.yaml back what it was before.",
            edits=(),
            changes=(
                FileChange(
                    path="overlays/eu/kustomization.yaml",
                    before="images:\n  - name: registry.example/shop/checkout\n    newTag: 2.4.1\n",
                    after="images:\n  - name: registry.example/shop/checkout\n    newTag: 2.4.0\n",
                ),
            ),
        ),
        "verification": Verification(
            kind="render",
            verdict="unverified",
            before=Check(result="not_run", reason="/images/[name=registry.example~1shop~1checkout]/newTag: 2.4.1"),
            after=Check(result="not_run", reason="/images/[name=registry.example~1shop~1checkout]/newTag: 2.4.0"),
            tests_before=NOTHING_RUN,
            tests_after=NOTHING_RUN,
            unchecked=("the evidence holds no trace to look for again",),
        ),
        "links": Links(location=f"{MANIFESTS}/blob/{CANARY}/overlays/eu/kustomization.yaml#L9"),
        "reviewers": (),
    }
)
"""A restored value in manifests, which are compared and not run."""
CONVENTIONAL = STORY.model_copy(
    update={"convention": Convention(is_conventional=True, is_scoped=True, scopes=("basket",)), "scope": "catalogue"}
)
FIX_AND_PIN = STORY.model_copy(update={"beside": Beside(url=f"{GITOPS}/pull/12")})
LAST_RESORT = STORY.model_copy(
    update={
        "patch": PIN,
        "verification": PIN_RENDERED,
        "tried": TRIED,
        "beside": Beside(url=f"{URL}/issues/7"),
        "links": LINKS.model_copy(update={"patched": f"{GITOPS}/commit/{PIN.commit}"}),
        "reviewers": (),
        "merging": Merging(effect="stable", retry=""),
    }
)
RETRIED = STORY.model_copy(
    update={
        "patch": PATCH.model_copy(
            update={
                "strategy": "restore",
                "why": "Gives this line of apps/checkout/analysis.yaml back what it was before.",
                "changes": (FileChange(path="apps/checkout/analysis.yaml", before="a: 2\n", after="a: 1\n"),),
            }
        ),
        "verification": PIN_RENDERED.model_copy(
            update={"unchecked": ("the evidence holds no trace to look for again",)}
        ),
        "merging": Merging(effect="nothing", retry="kubectl argo rollouts retry rollout checkout -n shop"),
    }
)
