"""A verified restoration of a price, about to be published on the pretended GitHub as the worker publishes it."""

from pathlib import Path
from typing import Literal

from agents.case import Case
from agents.diagnosis import Diagnosis, Location
from agents.evidence import Manifest, Version
from agents.fix import Ground
from agents.outcome import Outcome, conclude
from agents.patch import Edit, Patch, apply_edits
from agents.policy import Policy, RepositoryRule
from agents.verification import Check, Commands, Reproduction, Verification
from app.adapters.checkout import Mirrors
from app.adapters.forge_github import GitHubForge
from tests.fakes import START
from tests.github_server import GitHubServer, Repository
from tests.github_server.clients import WRITER_TOKEN, access_of

INCIDENT = "0123456789abcdef" * 2
GOOD, BAD = "price = 1\n", "price = 'one'\n"
GREEN, RED = Check(result="passed"), Check(result="failed")
VERIFIED = Verification(
    kind="replay", verdict="verified", before=RED, after=GREEN, tests_before=GREEN, tests_after=GREEN
)


async def concluded(
    github: GitHubServer,
    shop: Repository,
    tmp_path: Path,
    token: str = WRITER_TOKEN,
    mode: Literal["propose", "ready"] = "propose",
    incident: str = INCIDENT,
) -> Outcome:
    """Publish the verified restoration of the price, as the worker does."""
    url, stable = github.url(shop.full_name), shop.branches()["main"]
    if shop.git("show", f"{stable}:shop/app.py") == GOOD.strip():
        canary = shop.push("main", {"shop/app.py": BAD})
    else:
        canary, stable = stable, shop.git("rev-parse", f"{stable}^")
    edits = (Edit(path="shop/app.py", search=BAD, replace=GOOD),)
    changes = apply_edits({"shop/app.py": BAD}, edits)
    patch = Patch(repository=url, commit=canary, strategy="revert", why="Back.", edits=edits, changes=changes)
    versions = {name: Version(hash=name, repo=url, commit=sha) for name, sha in (("s", stable), ("c", canary))}
    manifest = Manifest(
        incident=incident, attempt=1, cluster="prod", namespace="shops", rollout="shop", uid="u",
        revision="2", strategy="canary", stable=versions["s"], canary=versions["c"], captured_at=START, items=(),
    )  # fmt: skip
    case = Case(
        diagnosis=Diagnosis(
            category="code", summary="the price is a word", confidence="high", location=Location(file="shop/app.py"),
            culprit_commit=canary, suspects=(), claims=(), strategy="revert", repository="source",
        ),
        reproduction=Reproduction(kind="replay"), commands=Commands(), program=None,
        ground=Ground(url=url, stable=stable, canary=canary), home=url, manifests=None, modes=(), notes=(),
    )  # fmt: skip
    access = access_of(github, token)
    return await conclude(
        manifest, case, patch, VERIFIED,
        repositories=Mirrors(tmp_path / "mirrors", tmp_path / "forge", access),
        forge=GitHubForge(access),
        policy=Policy(repositories=(RepositoryRule(match=url, mode=mode),)),
    )  # fmt: skip
