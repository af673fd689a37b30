"""The `selfheal` command. Imports inside the commands keep `--help` quick and each process as small as its role."""

import asyncio
import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from agents.errors import Invalid, SelfhealError

main = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Turns a failed Argo Rollouts canary into a verified pull request.",
)
BAD_INPUT, OUR_FAILURE = 2, 1


class Role(StrEnum):
    ALL = "all"
    INTAKE = "intake"
    WORKER = "worker"


@main.command()
def serve(
    role: Annotated[
        Role, typer.Option(help="Which process to run; `all` is the intake with a worker beside it.")
    ] = Role.ALL,
    insecure_dev: Annotated[bool, typer.Option("--insecure-dev", help="No tokens; loopback only.")] = False,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Run the service. Settings come from SELFHEAL_* variables (see the README)."""
    from app.settings import read_policy, read_settings  # noqa: PLC0415 - see the module's docstring

    if insecure_dev:
        os.environ["SELFHEAL_INSECURE_DEV"] = "true"  # noqa: TID251 - the worker process inherits the flag
    try:
        settings = read_settings()
        read_policy(settings.policy)  # both roles refuse a broken one: a worker alone would fail out of sight
        if role is Role.WORKER:
            from app.worker import serve_worker  # noqa: PLC0415 - see the module's docstring

            serve_worker(settings, with_parent=with_parent)
        else:
            from app.main import serve_intake  # noqa: PLC0415 - see the module's docstring

            serve_intake(settings, with_worker=role is Role.ALL)
    except Invalid as error:
        _refuse(str(error))
    except SelfhealError as error:
        typer.echo(f"selfheal: {error}", err=True)
        raise typer.Exit(OUR_FAILURE) from error


@main.command()
def diagnose(
    repo: Annotated[Path, typer.Option(help="The source repository; bare or not, only read.")],
    bundle: Annotated[Path | None, typer.Argument(help="An evidence bundle: a folder or a .tar.gz.")] = None,
    manifests: Annotated[Path | None, typer.Option(help="The GitOps repository, for a bundle.")] = None,
    canary_log: Annotated[Path | None, typer.Option(help="Instead of a bundle: the canary's log.")] = None,
    stable_log: Annotated[Path | None, typer.Option(help="The stable version's log.")] = None,
    stable: Annotated[str | None, typer.Option(help="The stable version's revision.")] = None,
    canary: Annotated[str | None, typer.Option(help="The canary's revision.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Name the cause of a failed canary, offline."""
    from agents.diagnosis import public  # noqa: PLC0415 - see the module's docstring
    from app.diagnose import diagnose_bundle, diagnose_logs  # noqa: PLC0415 - see the module's docstring

    if (bundle is None) == (canary_log is None):
        _refuse("give either a bundle or --canary-log")
    try:
        if bundle is not None:
            found = asyncio.run(diagnose_bundle(bundle, repo, manifests))
        else:
            if canary_log is None or stable is None or canary is None:
                _refuse("with --canary-log, --stable and --canary name the two revisions")
            found = asyncio.run(diagnose_logs(canary_log, stable_log, repo, stable, canary))
    except Invalid as error:
        _refuse(str(error))
    except SelfhealError as error:
        typer.echo(f"selfheal: {error}", err=True)
        raise typer.Exit(OUR_FAILURE) from error
    document = public(found)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    _print_diagnosis(document)


@main.command()
def demo(
    scenario: Annotated[list[str] | None, typer.Option(help="Only this scenario; may be given again.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document a scenario.")] = False,
) -> None:
    """Break small services for real, and watch the loop heal them. Needs no cluster, model or account."""
    from app.demo import run  # noqa: PLC0415 - see the module's docstring

    try:
        raise typer.Exit(run(tuple(scenario or ()), as_json=as_json))
    except Invalid as error:
        _refuse(str(error))
    except SelfhealError as error:
        typer.echo(f"selfheal: {error}", err=True)
        raise typer.Exit(OUR_FAILURE) from error


@main.command()
def doctor(
    namespace: Annotated[str | None, typer.Option(help="Only the rights in this namespace.")] = None,
    rollout: Annotated[str | None, typer.Option(help="Look at this Rollout as if its canary had failed.")] = None,
    cluster: Annotated[str | None, typer.Option(help="Only this cluster, by the name its token has.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Try what the service needs, and say what to do. Changes nothing; exit code 1 if something failed."""
    from app.doctor import document, examine  # noqa: PLC0415 - see the module's docstring

    if rollout is not None and namespace is None:
        _refuse("with --rollout, name its --namespace")

    async def run() -> bool:
        findings = []
        async for finding in examine(cluster, namespace, rollout):
            findings.append(finding)
            if not as_json:
                typer.echo(f"{finding.level:<5} {finding.check}: {finding.text}")
                if finding.todo is not None:
                    typer.echo(f"      -> {finding.todo}")
        told = document(findings)
        if as_json:
            typer.echo(json.dumps(told, indent=2))
        return bool(told["healthy"])

    if not asyncio.run(run()):
        raise typer.Exit(OUR_FAILURE)


def _print_diagnosis(document: dict[str, object]) -> None:
    location = document["location"]
    typer.echo(f"{document['category']} ({document['confidence']} confidence): {document['summary']}")
    if isinstance(location, dict):
        where = f"{location['file']}:{location['line']}" if location["line"] else str(location["file"])
        typer.echo(f"where:   {where}" + (f" in {location['function']}" if location["function"] else ""))
    typer.echo(f"commit:  {document['culprit_commit'] or 'unknown'}")
    claims = document["claims"]
    for claim in claims if isinstance(claims, list) else []:
        typer.echo(f"claim:   {claim['text']}")
        for citation in claim["evidence"]:
            typer.echo(f"         {citation['ref']}")


def _refuse(message: str) -> NoReturn:
    typer.echo(f"selfheal: {message}", err=True)
    raise typer.Exit(BAD_INPUT)


if __name__ == "__main__":
    main()
    sys.exit(0)
