"""The `selfheal` command. Imports inside the commands keep `--help` quick and each process as small as its role."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from agents.errors import Invalid, SelfhealError

if TYPE_CHECKING:
    from app.client import Client

main = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Turns a failed Argo Rollouts canary into a verified pull request.",
)
incidents = typer.Typer(no_args_is_help=True, help="List incidents of a running service, or show one.")
main.add_typer(incidents, name="incidents")
BAD_INPUT, OUR_FAILURE = 2, 1
Url = Annotated[str, typer.Option(envvar="SELFHEAL_URL", help="Address of the running service.")]
Token = Annotated[str, typer.Option(envvar="SELFHEAL_API_TOKEN", help="An API token of that service.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the JSON document.")]
HERE = "http://127.0.0.1:8080"


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
        settings = read_settings(answers=role is not Role.WORKER)
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
    if bundle is not None and (stable_log or stable or canary):
        _refuse(
            "a bundle names its logs and revisions itself: --stable-log, --stable and --canary go with --canary-log"
        )
    if canary_log is not None and manifests is not None:
        _refuse("--manifests goes with a bundle, which says what was deployed from there")
    try:
        if bundle is not None:
            found, notes = asyncio.run(diagnose_bundle(bundle, repo, manifests))
        else:
            if canary_log is None or stable is None or canary is None:
                _refuse("with --canary-log, --stable and --canary name the two revisions")
            found, notes = asyncio.run(diagnose_logs(canary_log, stable_log, repo, stable, canary))
    except Invalid as error:
        _refuse(str(error))
    except SelfhealError as error:
        typer.echo(f"selfheal: {error}", err=True)
        raise typer.Exit(OUR_FAILURE) from error
    for note in notes:
        typer.echo(_printable(f"note: {note}"), err=True)
    document = public(found)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    _print_diagnosis(document)


@main.command()
def trigger(
    namespace: Annotated[str, typer.Option(help="Namespace of the Rollout.")],
    rollout: Annotated[str, typer.Option(help="Name of the Rollout.")],
    cluster: Annotated[str | None, typer.Option(help="Cluster, where the service knows several.")] = None,
    url: Url = HERE,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Have a running service look at a failed canary, again if need be."""
    call = {"namespace": namespace, "rollout": rollout} | ({"cluster": cluster} if cluster else {})
    document = _call(lambda client: client.trigger(call), url, token)
    did = "opened" if document["opened"] else "joined"
    typer.echo(json.dumps(document, indent=2) if as_json else f"{did} attempt {document['attempt']}")


@incidents.command("list")
def list_incidents(
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Only those of this namespace.")] = None,
    rollout: Annotated[str | None, typer.Option(help="Only those of this Rollout.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 50,
    url: Url = HERE,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Incidents, newest first."""
    given = {"state": state, "namespace": namespace, "rollout": rollout, "limit": str(limit)}
    filters = {name: value for name, value in given.items() if value is not None}
    document = _call(lambda client: client.incidents(filters), url, token)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    for one in document["incidents"]:
        where = f"{one['cluster']}/{one['namespace']}/{one['rollout']} r{one['revision']}"
        typer.echo(f"{one['id']}  {one['state']:10}  {where}  {one['detail'] or ''}".rstrip())
    if not document["incidents"]:
        typer.echo("no incidents")
    elif document["next"]:
        typer.echo("there are more; raise --limit or narrow the list")


@incidents.command("show")
def show_incident(
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of an incident, or of an attempt: <id>-<number>.")],
    url: Url = HERE,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """One incident: its state, its timeline and what was found."""
    document = _call(lambda client: client.incident(name), url, token)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    typer.echo(f"{document['cluster']}/{document['namespace']}/{document['rollout']} revision {document['revision']}")
    typer.echo(f"state:   {document['state']}" + (f" ({document['detail']})" if document["detail"] else ""))
    for step in document["attempts"][document["attempt"] - 1]["timeline"]:
        typer.echo(f"         {step['at']}  {step['state']}")
    if document["diagnosis"]:
        _print_diagnosis(document["diagnosis"])
    if document["pull_request"]:
        typer.echo(f"pull:    {document['pull_request']['url']}")


@main.command()
def demo(
    scenario: Annotated[list[str] | None, typer.Option(help="Only this scenario; may be given again.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document a scenario.")] = False,
    serve: Annotated[bool, typer.Option("--serve", help="Leave the service up afterwards.")] = False,
) -> None:
    """Break small services for real, and watch the loop heal them. Needs no cluster, model or account."""
    from app.demo import run  # noqa: PLC0415 - see the module's docstring

    try:
        raise typer.Exit(run(tuple(scenario or ()), as_json=as_json, serve=serve))
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
    ask_model: Annotated[
        bool, typer.Option("--ask-model", help="Have the model say one word, which may cost money.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Try what the service needs, and say what to do. Changes nothing; exit code 1 if something failed."""
    from app.doctor import document, examine  # noqa: PLC0415 - see the module's docstring

    if rollout is not None and namespace is None:
        _refuse("with --rollout, name its --namespace")

    async def run() -> bool:
        findings = []
        async for finding in examine(cluster, namespace, rollout, ask_model=ask_model):
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


def _call(ask: Callable[["Client"], dict[str, Any]], url: str, token: str) -> dict[str, Any]:
    from app.client import Client  # noqa: PLC0415 - see the module's docstring

    try:
        return ask(Client(url, token))
    except Invalid as error:
        _refuse(str(error))
    except SelfhealError as error:
        typer.echo(f"selfheal: {error}", err=True)
        raise typer.Exit(OUR_FAILURE) from error


def _print_diagnosis(document: dict[str, Any]) -> None:
    lines = [f"{document['category']} ({document['confidence']} confidence): {document['summary']}"]
    if document["location"]:
        location = document["location"]
        where = f"{location['file']}:{location['line']}" if location["line"] else location["file"]
        lines.append(f"where:   {where}" + (f" in {location['function']}" if location["function"] else ""))
    lines.append(f"commit:  {document['culprit_commit'] or 'unknown'}")
    for claim in document["claims"]:
        lines += [f"claim:   {claim['text']}", *(f"         {citation['ref']}" for citation in claim["evidence"])]
    for line in lines:
        typer.echo(_printable(line))


def _printable(text: str) -> str:
    """Text from logs and repositories without what a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _refuse(message: str) -> NoReturn:
    typer.echo(f"selfheal: {message}", err=True)
    raise typer.Exit(BAD_INPUT)


if __name__ == "__main__":
    main()
    sys.exit(0)
