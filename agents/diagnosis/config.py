"""Rules on configuration: a value of the manifests that the error names.

Values are never told, only their keys: manifests hold secrets more often than they should.
"""

import re
from collections.abc import Iterable, Sequence

from agents.changes import Commit, ValueChange, blame_value
from agents.diagnosis.nouns import Claim, Diagnosis, Location
from agents.diagnosis.wording import headline, sound
from agents.evidence import Citation
from agents.frames import Trace
from agents.podstates import State, peer_of
from agents.suspects import QUOTED, Suspect
from agents.triage import Triage


def config_cause(findings: Triage, trace: Trace, value: ValueChange, claims: tuple[Claim, ...]) -> Diagnosis:
    renamed = renamed_to(findings, value)
    culprit = culprit_of(value, findings.manifest_commits)
    place = _name_of(renamed, findings.values) if renamed else value
    what = f"{value.key} of {value.kind} {value.name}"
    did = "was removed" if value.new is None else "was changed"
    if renamed:
        did = f"was renamed to {renamed.key}"
    suspects: tuple[Suspect, ...] = findings.suspects
    if culprit is not None:
        why = f"it took away {value.key!r}, which the error misses"
        if value.new is not None:
            why = f"it changed {value.key!r} to what the error names"
        suspects = (suspect_of(place.model_copy(update={"file": value.file}), culprit, why), *suspects)
    return Diagnosis(
        category="config",
        summary=f"{headline(trace)}: {what} {did}"
        + (f" by commit {culprit.sha[:12]} ({culprit.subject})" if culprit else ""),
        confidence="high" if culprit is not None else "medium",
        location=Location(file=place.file, line=place.line),
        culprit_commit=culprit.sha if culprit else None,
        suspects=suspects,
        claims=(*claims, *sound(findings.bundle, _config_claims(renamed))),
        strategy="restore",
        repository="manifests",
        failure=headline(trace),
    )


def renamed_to(findings: Triage, value: ValueChange) -> ValueChange | None:
    """What a key that is gone is called now: a new one beside it with the same value."""
    if value.new is not None:
        return None
    return next((other for other in findings.values if _is_renamed(value, other)), None)


def culprit_of(value: ValueChange, commits: Sequence[Commit]) -> Commit | None:
    """The commit that changed a value, by its values where those were compared, else by the lines of the diffs."""
    known = next((one for one in commits if one.sha == value.commit), None)
    return known or blame_value(value, commits)


def suspect_of(value: ValueChange, culprit: Commit, why: str) -> Suspect:
    """The place of a changed value as a suspect that nothing in the source outdoes."""
    return Suspect(
        file=value.file,
        line=value.line,
        function=None,
        commit=culprit.sha,
        score=10.0,
        why=why,
        repository="manifests",
    )


def named_setting(findings: Triage, state: State) -> ValueChange | None:
    """A changed setting that a state is about: what a program wrote last names it, or its new value names the peer."""
    config = [value for value in findings.values if value.is_config]
    text = "\n".join(citation.quote for citation in state.evidence if citation.ref.startswith("logs/"))
    if not config or not text:
        return None
    # what was taken away explains more than what was changed, and that more than what was added
    for value in sorted(config, key=lambda one: (one.new is not None, one.old is None, one.pointer.endswith("/name"))):
        if len(value.key) > 2 and _stands_in(value.key, text):
            return value
    for value in config:
        if value.new is not None and value.old is not None and _gives_peer(value, state.names, text):
            return value
    return None


def _stands_in(word: str, text: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-])", text) is not None


def _gives_peer(value: ValueChange, names: Iterable[str], text: str) -> bool:
    """Whether a value brought in what a state names (a host, a port, a user), or a host that its text names."""
    new, old = str(value.new), str(value.old)
    if any(len(name) > 2 and _stands_in(name, new) and not _stands_in(name, old) for name in names):
        return True
    host, port = peer_of(new)
    peer = host if host != peer_of(old)[0] else f"{host}:{port}"
    return len(host) > 3 and peer not in old and _stands_in(peer, text)


def guilty_value(trace: Trace, values: Iterable[ValueChange]) -> ValueChange | None:
    """The configuration that the error names: a key that the manifests took away, else a value that they put in."""
    chain = (*trace.causes, trace)
    named = {text for one in chain for text in QUOTED.findall(one.message)}
    words = {word.strip(",;:.()") for one in chain for word in one.message.replace("=", " ").split()}
    config = sorted((value for value in values if value.is_config), key=lambda value: value.pointer.endswith("/name"))
    for value in config:
        if value.new is None and len(value.key) > 2 and (value.key in named or value.key in words):
            return value
    for value in config:
        is_changed = value.old is not None and value.new is not None
        if is_changed and (value.new in named or (len(str(value.new)) > 3 and value.new in words)):
            return value
    return None


def _name_of(value: ValueChange, values: Iterable[ValueChange]) -> ValueChange:
    """Where the key of a value stands: beside it in an env entry, in the same line elsewhere."""
    entry = value.pointer.rpartition("/")[0]
    is_env = "/env/" in value.pointer
    return next((one for one in values if is_env and one.new and one.pointer == f"{entry}/name"), value)


def _is_renamed(value: ValueChange, other: ValueChange) -> bool:
    """Whether `other` is new, has the value that `value` had, and stands beside where it stood."""
    here, there = (_pattern(one) for one in (value, other))
    return other.old is None and other.new == value.old and other.key != value.key and here == there


def _pattern(value: ValueChange) -> tuple[str, str, str]:
    """The place of a value but for its key."""
    before, env, entry = value.pointer.partition("/env/")
    place = f"{before}/env/{entry.rpartition('/')[2]}" if env else value.pointer.rpartition("/")[0]
    return value.kind, value.name, place


def _config_claims(renamed: ValueChange | None) -> list[Claim]:
    if renamed is None or renamed.kind != "ConfigMap":
        return []
    citation = Citation(ref=f"config/{renamed.name}#{renamed.pointer}", quote=str(renamed.new))
    return [
        Claim(
            text=f"the deployed ConfigMap {renamed.name} has the key {renamed.key} instead",
            evidence=(citation,),
        )
    ]
