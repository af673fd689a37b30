"""`diagnose`: what failed, where, by which commit, by rules alone.

Every claim cites the bundle, and one whose citation does not hold is dropped.
"""

from collections.abc import Iterable

from agents.changes import ValueChange, blame_value
from agents.diagnosis.nouns import Claim, Diagnosis, Location
from agents.evidence import Bundle, Citation, cite_lines, holds
from agents.evidence.origin import dig
from agents.frames import Frame, Trace
from agents.suspects import QUOTED, WORTH_NAMING, Suspect
from agents.traffic import Slowdown
from agents.triage import Triage

SURE = 6.0
"""A suspect of this score touched the failing function or line, or took away what the error misses."""
UNREACHABLE = frozenset(
    {"ConnectionRefusedError", "ConnectionResetError", "TimeoutError", "gaierror", "ConnectionError"}
)
QUOTED_TRACE_LINES = 60


def diagnose(findings: Triage) -> Diagnosis:
    """Name the cause as far as the findings carry."""
    diagnosis = _cause(findings)
    if findings.circumstance != "failed":
        return _without_fix(diagnosis, findings)
    return diagnosis


def _cause(findings: Triage) -> Diagnosis:
    trace = findings.trace
    if trace is None:
        return _without_trace(findings) if findings.slowdown is None else _slow(findings, findings.slowdown)
    claims = _sound(findings.bundle, [_trace_claim(findings.bundle, trace)])
    value = _guilty_value(trace, findings.values)
    if value is not None:
        return _config(findings, trace, value, claims)
    top = findings.suspects[0] if findings.suspects else None
    if top is not None and top.score >= WORTH_NAMING:
        return _code(findings, trace, top, claims)
    return _unexplained(findings, trace, claims)


def _code(findings: Triage, trace: Trace, top: Suspect, claims: tuple[Claim, ...]) -> Diagnosis:
    frame = _innermost(trace)
    location = Location(file=top.file, line=top.line, function=top.function)
    if frame is not None and frame.file == top.file and top.score < SURE:
        location = Location(file=top.file, line=frame.line, function=frame.function)
    return Diagnosis(
        category="code",
        summary=f"{_headline(trace)}; commit {top.commit[:12]} ({_subject(findings, top.commit)}): {top.why}",
        confidence="high" if top.score >= SURE and frame is not None else "medium",
        location=location,
        culprit_commit=top.commit,
        suspects=findings.suspects,
        claims=claims,
        strategy="revert",
        repository="source",
        failure=_headline(trace),
    )


def _config(findings: Triage, trace: Trace, value: ValueChange, claims: tuple[Claim, ...]) -> Diagnosis:
    """Values are never told, only their keys: manifests hold secrets more often than they should."""
    renamed = next(
        (other for other in findings.values if value.new is None and _is_renamed(value, other)),
        None,
    )
    culprit = blame_value(value, findings.manifest_commits)
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
        own = Suspect(
            file=value.file,
            line=place.line,
            function=None,
            commit=culprit.sha,
            score=10.0,
            why=why,
            repository="manifests",
        )
        suspects = (own, *suspects)
    return Diagnosis(
        category="config",
        summary=f"{_headline(trace)}: {what} {did}"
        + (f" by commit {culprit.sha[:12]} ({culprit.subject})" if culprit else ""),
        confidence="high" if culprit is not None else "medium",
        location=Location(file=place.file, line=place.line),
        culprit_commit=culprit.sha if culprit else None,
        suspects=suspects,
        claims=(*claims, *_sound(findings.bundle, _config_claims(renamed))),
        strategy="restore",
        repository="manifests",
        failure=_headline(trace),
    )


def _unexplained(findings: Triage, trace: Trace, claims: tuple[Claim, ...]) -> Diagnosis:
    """A trace that no change between the versions explains: a latent fault, or the world around it."""
    root = trace.root
    unreachable = root.exception in UNREACHABLE
    frame = _innermost(trace)
    if not findings.compared:
        why = "the changes between the versions could not be read"
    elif not findings.commits:
        why = "there is no commit between the versions"
    else:
        why = "no change between the versions explains it"
    if findings.compared and not unreachable:
        why += ", so it may be a latent fault"
    return Diagnosis(
        category="infrastructure" if unreachable else "code" if frame is not None else "unknown",
        summary=f"{_headline(trace)}; {why}",
        confidence="low",
        location=Location(file=str(frame.file), line=frame.line, function=frame.function) if frame else None,
        culprit_commit=None,
        suspects=findings.suspects,
        claims=claims,
        strategy=None,
        repository="source" if frame is not None else None,
    )


def _slow(findings: Triage, slower: Slowdown) -> Diagnosis:
    """The canary answers, but slowly: the nearest change to the route, as far as one is near."""
    what = (
        f"{slower.method} {slower.prefix} takes {slower.canary_seconds * 1000:.3g} ms in the canary and "
        f"{slower.stable_seconds * 1000:.3g} ms in the stable version "
        f"(medians of {slower.canary_count} and {slower.stable_count} requests)"
    )
    examples = [slower.canary_example, slower.stable_example]
    evidence = tuple(cite_lines(findings.bundle, one.item, one.line, one.line) for one in examples)
    claims = _sound(findings.bundle, [Claim(text=what, evidence=evidence)])
    top = findings.suspects[0] if findings.suspects else None
    if top is None or top.score < WORTH_NAMING:
        return Diagnosis(
            category="unknown",
            summary=f"{what}; no change between the versions explains it",
            confidence="low",
            location=None,
            culprit_commit=None,
            suspects=findings.suspects,
            claims=claims,
            strategy=None,
        )
    rivals = {suspect.commit for suspect in findings.suspects if suspect.score >= top.score}
    return Diagnosis(
        category="code",
        summary=f"{what}; commit {top.commit[:12]} ({_subject(findings, top.commit)}): {top.why}",
        confidence="medium" if len(rivals) == 1 else "low",
        location=Location(file=top.file, line=top.line, function=top.function),
        culprit_commit=top.commit,
        suspects=findings.suspects,
        claims=claims,
        strategy="revert",
        repository="source",
        failure=what,
    )


def _subject(findings: Triage, sha: str) -> str:
    return next((commit.subject for commit in findings.commits if commit.sha == sha), "")


def _without_trace(findings: Triage) -> Diagnosis:
    new = [template for template in findings.templates if template.level in {"error", "critical"}][:3]
    claims = [
        Claim(
            text=f"only the canary logs this ({template.count} times)",
            evidence=(cite_lines(findings.bundle, template.item, template.line, template.line),),
        )
        for template in new
    ]
    if not findings.bundle.logs("canary"):
        summary = "the canary left no logs, so the cause is not known"
    elif not claims:
        summary = "the canary's logs hold no traceback and no error of their own; the cause is not known"
    else:
        summary = (
            "the canary's logs hold errors that the stable version's do not, but no traceback; the cause is not known"
        )
    return Diagnosis(
        category="unknown",
        summary=summary,
        confidence="low",
        location=None,
        culprit_commit=None,
        suspects=findings.suspects,
        claims=_sound(findings.bundle, claims),
        strategy=None,
    )


def _without_fix(diagnosis: Diagnosis, findings: Triage) -> Diagnosis:
    """What ended the canary was no verdict about its code, so nothing is proposed."""
    match findings.circumstance:
        case "metric-error":
            claims = _sound(findings.bundle, _analysis_claims(findings.bundle))
            return diagnosis.model_copy(
                update={
                    "category": "analysis",
                    "summary": "a metric of the analysis could not be measured; that says nothing about the code",
                    "confidence": "medium",
                    "location": None,
                    "culprit_commit": None,
                    "claims": (*claims, *diagnosis.claims),
                    "strategy": None,
                    "repository": None,
                }
            )
        case "manual-abort":
            said = "a person aborted the canary"
        case _:
            said = "the analysis was inconclusive and the canary is paused"
    return diagnosis.model_copy(update={"summary": f"{said}; {diagnosis.summary}", "strategy": None})


def _guilty_value(trace: Trace, values: Iterable[ValueChange]) -> ValueChange | None:
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


def _trace_claim(bundle: Bundle, trace: Trace) -> Claim:
    frame = _innermost(trace)
    place = f" at {frame.file}:{frame.line} in {frame.function}" if frame else ""
    first = max(trace.first_line, trace.last_line - QUOTED_TRACE_LINES + 1)
    return Claim(
        text=f"the canary raises {_headline(trace)}{place}",
        evidence=(cite_lines(bundle, trace.item, first, trace.last_line),),
    )


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


def _analysis_claims(bundle: Bundle) -> list[Claim]:
    claims = []
    for run in bundle.objects("analysisrun"):
        status = dig(run, "status")
        if status.get("message") and status.get("phase") == "Error":
            name = dig(run, "metadata").get("name")
            citation = Citation(ref=f"objects/analysisrun/{name}#/status/message", quote=str(status["message"]))
            claims.append(Claim(text=f"AnalysisRun {name} ended in Error", evidence=(citation,)))
    return claims


def _sound(bundle: Bundle, claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The claims whose every citation exists and contains what it quotes."""
    return tuple(claim for claim in claims if all(holds(bundle, citation) for citation in claim.evidence))


def _innermost(trace: Trace) -> Frame | None:
    """The innermost frame of the chain that is a file of the repository."""
    for one in (trace.root, trace):
        for frame in one.frames:
            if frame.file is not None:
                return frame
    return None


def _headline(trace: Trace) -> str:
    root = trace.root
    if root.exception is None:
        return "an exception whose name the log does not hold any more"
    return f"{root.exception}: {root.message}" if root.message else root.exception
