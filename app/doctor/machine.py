"""What can be checked without a cluster: settings, tokens, policy, folders, git, sandbox, repositories, registries."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator

from agents.errors import Denied, Invalid, Transient
from agents.graph import Ports
from agents.policy import Policy
from app.doctor.finding import Finding, fail, ok, warn
from app.settings import Settings

OLDEST_GIT = (2, 31)
"""`log --diff-merges`; files by their ids on standard input are fetched since 2.29."""
SHORT_TOKEN = 16
LITERAL = "$selfheal-token"
PLACEHOLDERS = ("<", "REPLACE", "CHANGE", "EXAMPLE")
LEAST_FREE_BYTES = 2 * 1024**3
UNSEEN = "import os, sys; sys.exit(os.path.exists(sys.argv[1]))"
REPOSITORY_SECONDS = 60


def check_tokens(settings: Settings) -> Iterator[Finding]:
    """Who may call, and whether the tokens are worth their name. No token is shown."""
    if settings.insecure_dev:
        yield warn("tokens", "every caller is accepted (--insecure-dev)", "set the tokens and start without it")
        return
    pairs = [
        *((f"the webhook token of {one.cluster}", one.token) for one in settings.webhook_callers),
        *((f"the API token of {one.name}", one.token) for one in settings.api_callers),
    ]
    weak = 0
    for whose, secret in pairs:
        token = secret.get_secret_value()
        if token.removeprefix("Bearer ").strip() == LITERAL:
            todo = f"that is what Argo Rollouts sends when its Secret lacks the key; never accept it: {_new_token()}"
            yield fail("tokens", f"{whose} is the literal {LITERAL}", todo)
        elif token.upper().startswith(PLACEHOLDERS):
            yield fail("tokens", f"{whose} is a placeholder that everybody knows", _new_token())
        elif len(token) < SHORT_TOKEN:
            yield warn("tokens", f"{whose} has only {len(token)} characters", _new_token())
        else:
            continue
        weak += 1
    if not weak:
        yield ok("tokens", f"{len(pairs)} tokens; notifications may come from {', '.join(settings.clusters)}")


def _new_token() -> str:
    return "make one with: openssl rand -hex 32"


def check_policy(settings: Settings, policy: Policy) -> Iterator[Finding]:
    """What may be touched. That the file can be read was checked before."""
    if not policy.repositories:
        where = "SELFHEAL_POLICY is not set" if settings.policy is None else f"{settings.policy} lists no repository"
        yield warn("policy", f"{where}: every incident ends as an analysis", "list repositories in policy.yaml")
        return
    modes = ", ".join(f"{rule.match} ({rule.mode})" for rule in policy.repositories)
    yield ok("policy", f"{len(policy.repositories)} entries: {modes}")
    for image in policy.images:
        if policy.listed(image.repo) is None:
            todo = "add it to `repositories`: `images` alone allows nothing"
            yield warn("policy", f"images: {image.match} leads to {image.repo}, which has no entry", todo)


def check_folders(settings: Settings) -> Iterator[Finding]:
    """The data folder takes files and has room; the evidence folder is there."""
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=settings.data_dir, prefix="doctor-"):
            free = shutil.disk_usage(settings.data_dir).free
    except OSError as error:
        todo = "name a folder of this user in SELFHEAL_DATA_DIR"
        yield fail("data folder", f"{settings.data_dir} cannot be written to: {error.strerror}", todo)
        return
    if free < LEAST_FREE_BYTES:
        todo = "make room: mirrors, bundles and databases lie there"
        yield warn("data folder", f"{settings.data_dir} has {free // 1024**2} MiB left", todo)
    else:
        yield ok("data folder", f"{settings.data_dir} takes files; {free // 1024**3} GiB are free")
    if settings.bundles is not None and not settings.bundles.is_dir():
        yield fail("evidence folder", f"there is no folder {settings.bundles}", "see SELFHEAL_BUNDLES")


async def check_git() -> Finding:
    """Source and manifests are read with it."""
    found = shutil.which("git")
    if found is None:
        return fail("git", "git is not installed", "install the package git")
    process = await asyncio.create_subprocess_exec(found, "--version", stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode != 0:
        return fail("git", f"{found} does not start", "install the package git again")
    return read_git_version(out.decode("utf-8", "replace").strip())


def read_git_version(told: str) -> Finding:
    """Whether a git that calls itself so does all that is asked of it."""
    version = re.search(r"(\d+)\.(\d+)", told)
    if version is not None and (int(version[1]), int(version[2])) >= OLDEST_GIT:
        return ok("git", told)
    oldest = ".".join(str(number) for number in OLDEST_GIT)
    return fail("git", f"{told} is too old to read repositories as is needed", f"install git {oldest} or newer")


async def check_sandbox(settings: Settings, ports: Ports) -> Finding:
    """Start a real box, and see that the data folder is not in it."""
    try:
        tree = await asyncio.to_thread(_empty_tree, settings)
    except OSError as error:
        todo = "name a folder of this user in SELFHEAL_SANDBOX_DIR"
        return fail("sandbox", f"{settings.sandbox_dir} cannot be written to: {error.strerror}", todo)
    try:
        argv = ("python3", "-I", "-c", UNSEEN, str(settings.data_dir.absolute()))
        done = await ports.sandbox.run(tree, argv, {})
    finally:
        await asyncio.to_thread(shutil.rmtree, tree, ignore_errors=True)
    if done.status != "ok":
        todo = "without it nothing is run, and pull requests say `Not verified`; k8s/README.md says where it can work"
        return warn("sandbox", done.reason or "it does not start", todo)
    if settings.sandbox == "process":
        todo = "install bubblewrap and unset SELFHEAL_SANDBOX, unless you have read all code that will be run"
        return warn("sandbox", "repository code runs in a plain process, which isolates nothing", todo)
    if done.exit_code != 0:
        last = done.output.strip().rpartition("\n")[2][:200]
        return fail(
            "sandbox", f"a box starts, but is not what it should be: {last or 'it sees the data folder'}", "report this"
        )
    return ok("sandbox", "a box starts, and the data folder is not in it")


def _empty_tree(settings: Settings) -> str:
    """A working tree as the service lays one out, with nothing in it."""
    settings.sandbox_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    tree = tempfile.mkdtemp(prefix="doctor-", dir=settings.sandbox_dir)
    if os.geteuid() == 0 and settings.sandbox == "bubblewrap":
        os.chown(tree, settings.sandbox_uid, settings.sandbox_uid)
    return tree


async def check_repositories(policy: Policy, ports: Ports) -> AsyncIterator[Finding]:
    """Open every repository that the policy names without wildcards, as the service would."""
    exact = [rule.match for rule in policy.repositories if not set(rule.match) & set("*?[")]
    for url in exact:
        try:
            async with asyncio.timeout(REPOSITORY_SECONDS):
                await ports.repositories.open(url)
                base = await ports.forge.default_branch(url)
        except (Denied, Transient, Invalid, TimeoutError) as error:
            reason = str(error) or f"no answer within {REPOSITORY_SECONDS} s"
            yield fail("forge", f"{url}: {reason}", "check the address, and what the forge's token may do")
        else:
            yield ok("forge", f"{url} can be read; its default branch is {base}")
    if policy.repositories and not exact:
        yield ok("forge", "the policy names patterns only, so no repository was opened")


def check_registries(settings: Settings) -> Iterator[Finding]:
    """Who may be asked for image labels."""
    named = settings.named_registries
    if not named:
        yield ok("registries", "none is named, so images are not asked where they come from")
        return
    yield ok("registries", f"{', '.join(one.host for one in named)} may be asked for image labels")
    if any(one.plain_http for one in named) and settings.registry_auth_file is not None:
        yield warn("registries", "a registry without TLS may be sent a password", "leave out `http`")
