"""Node: `npm ci --ignore-scripts` fills a cache from a package-lock.json; the tree is installed from it, offline.

npm is given a package.json of our own, with the names and versions of the repository's and none of its scripts, and no
.npmrc. A lock file that names another place than the registry is refused as a whole, as npm takes all of it or nothing.
"""

import asyncio
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from agents.errors import Denied
from app.adapters.dependencies.tools import FOLDER, Ask, Indexes, Installation, Place, read_text, run

NAME = "npm"
PUBLIC = "https://registry.npmjs.org/"
"""npm itself puts the configured registry in the place of this one."""
VERSIONS = re.compile(r"(?:npm:(?:@[\w.-]+/)?[\w.-]+@)?[\w.*^~<>=|+\s-]*")
"""A version, a range or a tag, of the package or of another one; no URL, path or repository."""
DEPENDENCIES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
KEPT = ("name", "version", *DEPENDENCIES, "peerDependenciesMeta", "overrides", "bundleDependencies", "workspaces")
OPTIONS = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--replace-registry-host=npmjs")
REGISTRY = "selfheal-registry"
"""The file in the cache that says which registry it was filled from: npm finds nothing under another address."""
MOST_NAMED = 5


class Node:
    """npm."""

    name = NAME

    def __init__(self, place: Place, indexes: Indexes) -> None:
        self._place = place
        self._indexes = indexes

    def ask(self, tree: Path, extra: tuple[str, ...]) -> Ask:
        del extra
        text = read_text(tree, "package.json")
        package = _object(text)
        if package is None:
            return Ask(refused=("package.json: cannot be read",)) if text is not None else Ask()
        if not any(package.get(kind) for kind in DEPENDENCIES) and not package.get("workspaces"):
            return Ask()
        lock = _object(read_text(tree, "package-lock.json"))
        if lock is None:
            return Ask(refused=("package.json asks for packages, and there is no package-lock.json to fetch them by",))
        if lock.get("lockfileVersion") not in {2, 3} or not isinstance(lock.get("packages"), dict):
            return Ask(
                refused=("package-lock.json: only versions 2 and 3 are read; `npm install` with npm 7 writes them",)
            )
        manifests, wrong = _manifests(tree, package, lock["packages"])
        wrong += [f"package.json: {one}" for one in _foreign(manifests)]
        if wrong:
            more = [f"{len(wrong) - MOST_NAMED} more"] if len(wrong) > MOST_NAMED else []
            return Ask(refused=tuple(f"{one}: no npm package is fetched" for one in [*wrong[:MOST_NAMED], *more]))
        inputs = {path: json.dumps(manifest, indent=1) for path, manifest in manifests.items()}
        return Ask(inputs={**inputs, "package-lock.json": json.dumps(lock, indent=1)})

    async def version(self) -> str:
        npm = shutil.which("npm", path=self._place.path)
        if npm is None:
            raise Denied("npm is not installed")
        return f"{npm} {self._indexes.npm}"

    async def fetch(self, ask: Ask, scratch: Path, into: Path) -> tuple[str, ...]:
        registry = await self._registry(scratch)
        wrong = list(_elsewhere(json.loads(ask.inputs["package-lock.json"])["packages"], registry))
        if wrong:
            raise Denied(f"package-lock.json: {'; '.join(wrong[:MOST_NAMED])}: not of the registry {registry}")
        for path, text in ask.inputs.items():
            target = scratch / "project" / path
            await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
            await asyncio.to_thread(target.write_text, text, encoding="utf-8")
        # npm starts git for nothing that has passed; should it want to all the same, there is none.
        command = ("npm", "ci", *OPTIONS, "--git", "/bin/false", "--registry", registry, "--cache", str(into))
        await run(command, self._environment(scratch), scratch / "project", into)
        await asyncio.to_thread(shutil.rmtree, into / "_logs", ignore_errors=True)
        await asyncio.to_thread((into / REGISTRY).write_text, registry, encoding="utf-8")
        return ()

    def install(self, tree: Path, fetched: Path | None) -> Installation:
        if fetched is None:
            return Installation()
        cache = f"{self._place.inside(tree)}/{FOLDER}/{NAME}"
        registry = (fetched / REGISTRY).read_text(encoding="utf-8")
        command = ("npm", "ci", *OPTIONS, "--offline", "--registry", registry, "--cache", cache)
        return Installation((command,), {"npm_config_cache": cache, "npm_config_offline": "true"})

    def _environment(self, scratch: Path) -> dict[str, str]:
        own = {"PATH": self._place.path, "HOME": str(scratch), "LANG": "C.UTF-8", "TMPDIR": str(scratch)}
        return own | self._indexes.variables(("NPM_CONFIG_", "NODE_EXTRA_CA_CERTS"))

    async def _registry(self, scratch: Path) -> str:
        """The address of the registry, with a slash at its end."""
        found = self._indexes.npm
        if not found:
            words = ("npm", "config", "get", "registry", "--no-update-notifier")
            found = (await run(words, self._environment(scratch), scratch)).strip().rpartition("\n")[2]
        return found.rstrip("/") + "/"


def _manifests(
    tree: Path, package: Mapping[str, Any], packages: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The package.json files that npm needs, by path, cut down to what names packages; and what is wrong with them."""
    manifests, wrong = {"package.json": _cut(package)}, []
    for name, entry in packages.items():
        if not isinstance(entry, dict):
            wrong.append(f"package-lock.json: {name}: is no package")
        elif name and "node_modules" not in name.split("/"):
            pure = PurePosixPath(name)
            found = None
            if not pure.is_absolute() and ".." not in pure.parts:
                found = _object(read_text(tree, f"{name}/package.json"))
            if found is None:
                wrong.append(f"package-lock.json: {name}: not a package of the repository")
            else:
                manifests[f"{name}/package.json"] = _cut(found)
        elif entry.get("link") and entry.get("resolved") not in packages:
            wrong.append(
                f"package-lock.json: {name}: a link to {entry.get('resolved')}, which is no package of the repository"
            )
    return manifests, wrong


def _cut(package: Mapping[str, Any]) -> dict[str, Any]:
    return {key: package[key] for key in KEPT if key in package}


def _foreign(manifests: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Packages that are asked for by URL, path or repository."""
    for manifest in manifests.values():
        for kind in DEPENDENCIES:
            asked = manifest.get(kind)
            for name, version in asked.items() if isinstance(asked, dict) else ():
                if not isinstance(version, str) or not VERSIONS.fullmatch(version):
                    yield f"{name}: {str(version)[:200]} is no version"


def _elsewhere(packages: Mapping[str, Any], registry: str) -> Iterator[str]:
    """Packages that are locked to another place than the registry."""
    for name, entry in packages.items():
        resolved = entry.get("resolved")
        if resolved is None or entry.get("link") or entry.get("inBundle"):
            continue
        if not isinstance(resolved, str) or not resolved.startswith((registry, PUBLIC)):
            yield f"{name.rpartition('node_modules/')[2]} from {str(resolved)[:200]}"


def _object(text: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
