"""The failed shop with its GitOps repository: an overlay whose image tag was moved to the version that failed."""

from collections.abc import Callable
from typing import Any

from agents.policy import Policy, RepositoryRule
from agents.pull_request import Record
from tests.fakes import FakeCommit, FakeForge, FakeJournal, FakeRepositories, FakeRepository, Files
from tests.healing import ATTEMPT, EVERYWHERE, SETTINGS, House, is_fixed
from tests.shop import GITOPS_URL, SOURCE_URL, TRACE, bundle_of, deployed

OLD, NEW = "registry.example/shop:1.0.0", "registry.example/shop:1.1.0"
FOLDER = "apps/shop"
OVERLAY = """\
resources:
  - ../../base/rollout.yaml
images:
  - name: registry.example/shop
    newTag: 1.0.0 # the shop
"""
ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: shop
spec:
  template:
    spec:
      containers:
        - name: app
          image: registry.example/shop
"""


def gitops_history(overlay: str = OVERLAY) -> FakeRepository:
    """Stable is the first commit, the canary the second."""
    before = {f"{FOLDER}/kustomization.yaml": overlay, "base/rollout.yaml": ROLLOUT}
    after = before | {f"{FOLDER}/kustomization.yaml": overlay.replace("1.0.0", "1.1.0")}
    return FakeRepository(FakeCommit("Deploy shop", before), FakeCommit("Shop 1.1.0", after))


def replica_set(pod_hash: str, image: str, **environment: str) -> tuple[str, dict[str, Any]]:
    """A ReplicaSet of the shop, whose pods have these variables."""
    env = [{"name": name, "value": value} for name, value in environment.items()]
    labels = {"rollouts-pod-template-hash": pod_hash}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image, "env": env}]}}
    metadata = {"name": f"shop-{pod_hash}", "labels": labels}
    return f"objects/replicaset/shop-{pod_hash}", {"metadata": metadata, "spec": {"template": template}}


class GitOpsHouse(House):
    """`House`, deployed by an Argo CD Application from a repository of its own."""

    def __init__(
        self,
        fixed: Callable[[Files], bool] = is_fixed,
        rule: RepositoryRule | None = EVERYWHERE,
        gitops: RepositoryRule | None = EVERYWHERE,
        application: Callable[[dict[str, Any]], None] = lambda _: None,
        canary: tuple[str, dict[str, Any]] | None = None,
        log: str | None = None,
    ) -> None:
        super().__init__(fixed, SETTINGS)
        self.gitops = gitops_history()
        objects = deployed(*self.gitops.shas)
        application(objects[1][1])
        objects += [replica_set("good", OLD), canary or replica_set("bad", NEW)]
        commits = (self.repository.shas[0], self.repository.shas[-1])
        self.bundle = bundle_of(commits=commits, objects=objects, canary=log or TRACE)
        self.repositories = FakeRepositories({SOURCE_URL: self.repository, GITOPS_URL: self.gitops})
        heads = {SOURCE_URL: self.repository.shas[-1], GITOPS_URL: self.gitops.shas[-1]}
        self.forge = FakeForge({url: {"main": sha} for url, sha in heads.items()})
        self.journal = FakeJournal({ATTEMPT: self.bundle})
        named = {SOURCE_URL: rule, GITOPS_URL: gitops}
        rules = [one.model_copy(update={"match": url}) for url, one in named.items() if one is not None]
        self.policy = Policy(repositories=tuple(rules))

    def advance_canary(self, sha: str) -> None:
        """The canary was built from this commit of the source."""
        version = self.bundle.manifest.canary.model_copy(update={"commit": sha})
        manifest = self.bundle.manifest.model_copy(update={"canary": version})
        self.bundle = self.bundle.model_copy(update={"manifest": manifest})
        self.journal = FakeJournal({ATTEMPT: self.bundle})

    @property
    def pin(self) -> Record | None:
        """The pull request in the GitOps repository."""
        found = self.forge.pull_requests(GITOPS_URL)
        if len(found) > 1:
            raise AssertionError(f"{len(found)} pull requests in the GitOps repository")
        return found[0] if found else None

    @property
    def fix(self) -> Record | None:
        """The pull request in the source repository."""
        found = self.forge.pull_requests(SOURCE_URL)
        if len(found) > 1:
            raise AssertionError(f"{len(found)} pull requests in the source repository")
        return found[0] if found else None
