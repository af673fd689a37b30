"""Cases as a report tells them: the kind of failure that the service is for, with genuine-looking evidence."""

from agents.diagnosis import Claim, Diagnosis, Location
from agents.evidence import Citation, Item, Manifest
from agents.evidence.nouns import Version
from agents.patch import FileChange, Patch
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
STORY = Story(bundle=BUNDLE, diagnosis=DIAGNOSIS, patch=PATCH, verification=VERIFIED)
