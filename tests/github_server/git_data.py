"""The Git Data API of the pretended GitHub: refs, commits, trees and blobs."""

import base64
import fnmatch
import re
from typing import Any

from tests.github_server.hub import Refused, Repository, demand
from tests.github_server.routing import Request, Routes

routes = Routes()
MODES = {"100644", "100755", "040000", "160000", "120000"}
SIGNED_BY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "selfheal[bot]"), ("EMAIL", "selfheal[bot]@users.noreply.example"))
}


@routes.on("GET", "git/ref/(?P<ref>.+)")
def read_ref(request: Request, repository: Repository, ref: str) -> Any:
    demand(request.grant, repository, "contents", "read")
    _refuse_empty(repository)
    found = _refs(repository).get(f"refs/{ref}")
    if found is None:
        raise Refused(404, "Not Found")
    return _ref(request, repository, f"refs/{ref}", found)


@routes.on("POST", "git/refs", status=201)
def create_ref(request: Request, repository: Repository) -> Any:
    demand(request.grant, repository, "contents", "write")
    _refuse_empty(repository)
    ref, sha = str(request.body["ref"]), str(request.body["sha"])
    if not ref.startswith("refs/") or ref.count("/") < 2:
        raise Refused(422, "Reference name must start with 'refs/' and have at least two slashes")
    if repository.kind(sha) != "commit":
        raise Refused(422, "Object does not exist")
    refs = _refs(repository)
    if ref in refs:
        raise Refused(422, "Reference already exists")
    if any(other.startswith(f"{ref}/") or ref.startswith(f"{other}/") for other in refs):
        raise Refused(422, "Reference update failed")
    _refuse_protected(repository, ref, "Cannot create ref due to creations being restricted.")
    repository.git("update-ref", ref, sha, "0" * 40)
    return _ref(request, repository, ref, sha)


@routes.on("PATCH", "git/refs/(?P<ref>.+)")
def update_ref(request: Request, repository: Repository, ref: str) -> Any:
    demand(request.grant, repository, "contents", "write")
    sha, now = str(request.body["sha"]), _refs(repository).get(f"refs/{ref}")
    if now is None:
        raise Refused(422, "Reference does not exist")
    if repository.kind(sha) != "commit":
        raise Refused(422, "Object does not exist")
    if request.body.get("force") is not True and repository.git("merge-base", now, sha) != now:
        raise Refused(422, "Update is not a fast forward")
    _refuse_protected(repository, f"refs/{ref}", "Changes must be made through a pull request.")
    repository.git("update-ref", f"refs/{ref}", sha)
    return _ref(request, repository, f"refs/{ref}", sha)


@routes.on("GET", "git/commits/(?P<sha>[^/]+)")
def read_commit(request: Request, repository: Repository, sha: str) -> Any:
    demand(request.grant, repository, "contents", "read")
    if repository.kind(sha) != "commit":
        raise Refused(404, "Not Found")
    return _commit(request, repository, sha)


@routes.on("POST", "git/commits", status=201)
def create_commit(request: Request, repository: Repository) -> Any:
    demand(request.grant, repository, "contents", "write")
    tree, parents = str(request.body["tree"]), [str(parent) for parent in request.body.get("parents", [])]
    if repository.kind(tree) != "tree":
        raise Refused(422, "Tree SHA does not exist")
    if any(repository.kind(parent) != "commit" for parent in parents):
        raise Refused(422, "Parent SHA does not exist or is not a commit object")
    on = [word for parent in parents for word in ("-p", parent)]
    sha = repository.git("commit-tree", tree, *on, stdin=str(request.body["message"]).encode(), extra=SIGNED_BY)
    return _commit(request, repository, sha)


@routes.on("GET", "git/trees/(?P<sha>[^/]+)")
def read_tree(request: Request, repository: Repository, sha: str) -> Any:
    demand(request.grant, repository, "contents", "read")
    if repository.kind(sha) not in {"tree", "commit"}:
        raise Refused(404, "Not Found")
    return _tree(request, repository, sha)


@routes.on("POST", "git/trees", status=201)
def create_tree(request: Request, repository: Repository) -> Any:
    demand(request.grant, repository, "contents", "write")
    base, elements = request.body.get("base_tree"), request.body["tree"]
    if base is not None and repository.kind(base) != "tree":
        raise Refused(422, f"base_tree {base} is not a valid tree oid")
    if not elements:
        raise Refused(422, "Invalid tree info")
    lines = [_line(request, repository, base, element) for element in elements]
    return _tree(request, repository, repository.write_tree(base, lines))


@routes.on("POST", "git/blobs", status=201)
def create_blob(request: Request, repository: Repository) -> Any:
    demand(request.grant, repository, "contents", "write")
    text = str(request.body["content"])
    content = base64.b64decode(text) if request.body.get("encoding") == "base64" else text.encode()
    sha = repository.git("hash-object", "-w", "--stdin", stdin=content)
    return {"sha": sha, "url": f"{request.url(repository)}/git/blobs/{sha}"}


def _line(request: Request, repository: Repository, base: str | None, element: dict[str, Any]) -> tuple[str, str, str]:
    path, mode, sha = str(element["path"]), element["mode"], element.get("sha")
    if re.search(r"(?:^|/)(?:\.git|\.|\.\.|)(?:/|$)", path, re.IGNORECASE):
        raise Refused(422, "tree.path contains a malformed path component")
    if mode not in MODES:
        raise Refused(422, "Must supply a valid tree.mode")
    if path.startswith(".github/workflows/") and request.grant is not None:
        demand(request.grant, repository, "workflows", "write")
    if "content" in element:
        sha = repository.git("hash-object", "-w", "--stdin", stdin=str(element["content"]).encode())
    if sha is None:
        if base is None or not repository.git("ls-tree", base, "--", f":(literal){path}"):
            raise Refused(422, "GitRPC::BadObjectState")
        return "0", "0" * 40, path
    if mode in {"100644", "100755", "120000"} and repository.kind(sha) != "blob":
        raise Refused(422, f"tree.sha {sha} is not a valid blob")
    return mode, sha, path


def _refuse_protected(repository: Repository, ref: str, why: str) -> None:
    if any(fnmatch.fnmatchcase(ref, f"refs/heads/{pattern}") for pattern in repository.protected):
        raise Refused(422, f"Repository rule violations found\n\n{why}\n\n")


def _refuse_empty(repository: Repository) -> None:
    if not _refs(repository):
        raise Refused(409, "Git Repository is empty.")


def _refs(repository: Repository) -> dict[str, str]:
    listed = repository.git("for-each-ref", "--format=%(refname) %(objectname)")
    return dict(line.split(" ", 1) for line in listed.splitlines())


def _ref(request: Request, repository: Repository, ref: str, sha: str) -> dict[str, Any]:
    url = request.url(repository)
    target = {"type": "commit", "sha": sha, "url": f"{url}/git/commits/{sha}"}
    return {"ref": ref, "node_id": f"R_{ref}", "url": f"{url}/git/{ref}", "object": target}


def _commit(request: Request, repository: Repository, sha: str) -> dict[str, Any]:
    url = f"{request.url(repository)}/git"
    tree, parents = repository.git("show", "-s", "--format=%T%n%P", sha).split("\n")
    return {
        "sha": sha,
        "node_id": f"C_{sha}",
        "url": f"{url}/commits/{sha}",
        "message": repository.git("show", "-s", "--format=%B", sha),
        "tree": {"sha": tree, "url": f"{url}/trees/{tree}"},
        "parents": [{"sha": parent, "url": f"{url}/commits/{parent}"} for parent in parents.split()],
        "verification": {"verified": False, "reason": "unsigned"},
    }


def _tree(request: Request, repository: Repository, sha: str) -> dict[str, Any]:
    url = f"{request.url(repository)}/git"
    entries = []
    for line in repository.git("ls-tree", "-z", sha).split("\0"):
        if line:
            about, _, path = line.partition("\t")
            mode, kind, of = about.split()
            place = "" if kind == "commit" else f"{url}/{kind}s/{of}"
            entries.append({"path": path, "mode": mode, "type": kind, "sha": of, "url": place})
    return {"sha": sha, "url": f"{url}/trees/{sha}", "tree": entries, "truncated": False}
