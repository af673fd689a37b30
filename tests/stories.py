"""Cases as a report tells them: the kind of failure that the service is for, with genuine-looking evidence."""

from agents.diagnosis import Claim, Diagnosis, Location
from agents.evidence import Citation, Item, Manifest
from agents.evidence.nouns import Version
from agents.patch import FileChange, Patch
from agents.pinning import NOT_HEALTH
from agents.remarks import Beside, Merging, Tried
from agents.report import Story
from agents.verification import Check, Verification
from tests.fakes import START

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
RENDERED = Verification(
    kind="render",
    verdict="unverified",
    before=Check(result="not_run", reason="app: registry.example/checkout:2.4.0"),
    after=Check(result="not_run", reason="app: registry.example/checkout:2.3.1"),
    tests_before=NOTHING,
    tests_after=NOTHING,
    unchecked=(NOT_HEALTH,),
)
STORY = Story(bundle=BUNDLE, diagnosis=DIAGNOSIS, patch=PATCH, verification=VERIFIED)
FIX_AND_PIN = STORY.model_copy(update={"beside": Beside(url=f"{GITOPS}/pull/12")})
LAST_RESORT = STORY.model_copy(
    update={
        "patch": PIN,
        "verification": RENDERED,
        "tried": TRIED,
        "beside": Beside(url=f"{URL}/issues/7"),
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
        "verification": RENDERED.model_copy(update={"unchecked": ("the evidence holds no trace to look for again",)}),
        "merging": Merging(effect="nothing", retry="kubectl argo rollouts retry rollout checkout -n shop"),
    }
)
