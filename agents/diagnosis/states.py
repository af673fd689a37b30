"""Rules on states: what is wrong with the pods, and the changed field, setting or commit that explains it.

A field of the manifests is told with its values unless the program reads it as a setting: those can be secrets.
"""

from collections.abc import Iterable
from typing import NamedTuple

from agents.changes import FieldChange, ValueChange
from agents.diagnosis.config import culprit_of, named_setting, renamed_to, suspect_of
from agents.diagnosis.exclusion import narrow, what_changed
from agents.diagnosis.nouns import Category, Claim, Confidence, Diagnosis, Location
from agents.diagnosis.seen import looked_at
from agents.diagnosis.slow import slow_cause
from agents.diagnosis.wording import sound
from agents.evidence import Citation
from agents.podstates import CONSEQUENCE, ENDED, KILLED, NEVER_RAN, Scene, State, Wanted, explanations
from agents.suspects import SURE, WORTH_NAMING, Suspect
from agents.triage import Triage

MOST_CLAIMS = 4
SETTLED = frozenset({"/env/", "/args/", "/command/", "/data/"})
"""Parts of pointers below which values may be secrets."""


class Ruling(NamedTuple):
    """A diagnosis, and the state that it rests on."""

    diagnosis: Diagnosis
    state: State
    is_explained: bool
    """Whether a change was found that explains the state."""


class Explanation(NamedTuple):
    """The change of the manifests that explains a state, the same change as it was deployed, and how sure that is."""

    written: ValueChange | None
    deployed: FieldChange | None
    is_likely: bool

    @property
    def change(self) -> FieldChange | None:
        return self.written or self.deployed


def rule_on_states(findings: Triage) -> Ruling | None:
    """The best that the states give: the heaviest one that a change explains, else the heaviest. None without any.

    What only follows from other things is looked at where there is nothing else, and is a cause where a change
    explains it.
    """
    states = [state for state in findings.states.own if state.weight > CONSEQUENCE]
    never_ran = [state for state in states if state.weight >= NEVER_RAN]
    for state in never_ran or [*states, *_starved(findings)] or findings.states.own:
        explanation = _explain(findings, state)
        if explanation is not None:
            return Ruling(_config(findings, state, explanation), state, is_explained=True)
    for state in states:
        setting = named_setting(findings, state)
        if setting is not None:
            explanation = Explanation(setting, None, is_likely=setting.new is None)
            return Ruling(_config(findings, state, explanation), state, is_explained=True)
    for state in states:
        suspect = _suspect(findings, state)
        if suspect is not None:
            return Ruling(_code(findings, state, suspect), state, is_explained=True)
    return Ruling(_unexplained(findings, states[0]), states[0], is_explained=False) if states else None


def _starved(findings: Triage) -> list[State]:
    """A slow canary, as a state that less processor time would explain; not where code near the request changed."""
    slower, top = findings.slowdown, next(iter(findings.suspects), None)
    if slower is None or (top is not None and top.score >= WORTH_NAMING):
        return []
    slow = slow_cause(findings, slower)
    evidence = tuple(citation for claim in slow.claims for citation in claim.evidence)
    cpu = [Wanted(field=f"containers/*/resources/{group}/cpu", sense="lower") for group in ("limits", "requests")]
    sentence = slow.claims[0].text if slow.claims else slow.summary
    return [
        State(kind="slow", category="code", sentence=sentence, evidence=evidence, weight=ENDED, wanted=tuple(cpu)),
    ]


def outranks(ruling: Ruling, findings: Triage) -> bool:
    """Whether a state says more than the trace: it is explained, and the trace is not, or it is what the trace says."""
    trace = findings.trace
    if trace is None:
        return findings.slowdown is None or ruling.is_explained or ruling.state.weight >= KILLED
    top = findings.suspects[0].score if findings.suspects else 0.0
    if not ruling.is_explained:
        return ruling.state.weight >= NEVER_RAN and top < WORTH_NAMING
    tells = any(_is_within(one, trace.item, trace.first_line, trace.last_line) for one in ruling.state.evidence)
    return ruling.diagnosis.category == "config" and ruling.state.weight > CONSEQUENCE and (top < SURE or tells)


def measured_by(findings: Triage) -> Category:
    """Whose matter it is that a metric could not be measured: its provider's, or the analysis' own."""
    kinds = {state.kind for state in findings.states.own if state.kind.startswith("metric-")}
    return "infrastructure" if kinds == {"metric-unreachable"} else "analysis"


def state_claims(findings: Triage) -> tuple[Claim, ...]:
    """What the states show, heaviest first."""
    telling = [state for state in findings.states.own if state.weight > CONSEQUENCE]
    claims = [Claim(text=state.sentence, evidence=state.evidence) for state in telling]
    return sound(findings.bundle, claims)[:MOST_CLAIMS]


def _is_within(citation: Citation, item: str, first: int, last: int) -> bool:
    """Whether a citation is of lines that a trace has; the same log is cited under two names after a restart."""
    of, _, place = citation.ref.partition("#L")
    number = place.partition("-")[0]
    same = of.removesuffix(".previous") == item.removesuffix(".previous")
    return same and number.isdecimal() and first <= int(number) <= last


def _explain(findings: Triage, state: State) -> Explanation | None:
    """What in the manifests explains it. Where both templates are known, only what was deployed counts."""
    name = findings.bundle.manifest.rollout
    deployed = explanations(state, findings.fields, name)
    written = explanations(state, findings.values, name)
    if not deployed and findings.fields:
        written = [one for one in written if one.kind in _objects_of(state)]
    if not deployed and not written:
        return None
    if deployed:
        written = [one for one in written if one.kind != "Kustomization" or _is_part(one, deployed)]
    paths = {one.pointer for one in deployed}
    written.sort(key=lambda one: not any(one.pointer.endswith(path) for path in paths))
    strong = tuple(wanted for wanted in state.wanted if not wanted.is_weak)
    likely = state.model_copy(update={"wanted": strong})
    first = written[:1] or deployed[:1]
    is_likely = bool(explanations(likely, first, name))
    return Explanation(written[0] if written else None, deployed[0] if deployed else None, is_likely)


def _is_part(image: ValueChange, deployed: Iterable[FieldChange]) -> bool:
    """Whether a name, tag or digest that a kustomization gives is that of an image that was deployed."""
    return any(
        image.new is not None and one.new is not None and (one.new.startswith(image.new) or one.new.endswith(image.new))
        for one in deployed
    )


def _objects_of(state: State) -> set[str]:
    """The kinds of objects beside the pod template that could explain a state."""
    return {wanted.kind for wanted in state.wanted if wanted.kind is not None}


def _config(findings: Triage, state: State, explanation: Explanation) -> Diagnosis:
    written, change = explanation.written, explanation.change
    renamed = renamed_to(findings, written) if written is not None else None
    place = renamed or written
    culprit = culprit_of(written, findings.manifest_commits) if written is not None else None
    said = f"; {_what_changed(change)}" if change is not None else ""
    said += f", and {_place(renamed)} is there instead" if renamed is not None else ""
    by = f" by commit {culprit.sha[:12]} ({culprit.subject})" if culprit is not None else ""
    suspects = findings.suspects
    if written is not None and culprit is not None:
        suspects = (suspect_of(written, culprit, f"it changed what explains that {state.sentence}"), *suspects)
    confidence: Confidence = "medium"
    if culprit is not None:
        confidence = "high" if explanation.is_likely else "medium"
    is_analysis = state.category == "analysis"
    return Diagnosis(
        category="analysis" if is_analysis else "config",
        summary=f"{state.sentence}{said}{by}",
        confidence=confidence,
        location=Location(file=place.file, line=place.line) if place is not None else None,
        culprit_commit=culprit.sha if culprit is not None else None,
        suspects=suspects,
        claims=(*_claims(findings, state), *_change_claims(findings, explanation.deployed)),
        strategy="restore" if written is not None and not is_analysis else None,
        repository="manifests" if written is not None else None,
        failure=state.sentence,
        notes=_considered(findings, state),
    )


def _code(findings: Triage, state: State, suspect: Suspect) -> Diagnosis:
    subject = next((one.subject for one in findings.commits if one.sha == suspect.commit), "")
    return Diagnosis(
        category="code",
        summary=f"{state.sentence}; commit {suspect.commit[:12]} ({subject}): {suspect.why}",
        confidence="medium",
        location=Location(file=suspect.file, line=suspect.line),
        culprit_commit=suspect.commit,
        suspects=(suspect, *findings.suspects),
        claims=_claims(findings, state),
        strategy="revert",
        repository="source",
        failure=state.sentence,
        notes=_considered(findings, state),
    )


def _unexplained(findings: Triage, state: State) -> Diagnosis:
    """A state that no change explains: the world around it, or whatever else changed."""
    is_code = state.category == "code"
    is_plain = state.category == "infrastructure" and state.weight >= KILLED
    diagnosis = Diagnosis(
        category=state.category,
        summary=f"{state.sentence}; no change that was looked at explains it",
        confidence="medium" if is_plain else "low",
        location=None,
        culprit_commit=None,
        suspects=findings.suspects,
        claims=_claims(findings, state),
        strategy=None,
        failure=state.sentence,
        notes=(*_considered(findings, state), looked_at(findings)),
    )
    if not is_code:
        return diagnosis
    if what_changed(findings) == "unknown" and findings.compared and not findings.commits:
        summary = f"{state.sentence}; neither its code nor a field that would explain it changed; {looked_at(findings)}"
        return diagnosis.model_copy(update={"category": "unknown", "summary": summary})
    return narrow(findings, diagnosis)


def _suspect(findings: Triage, state: State) -> Suspect | None:
    """The newest commit of the source that took away, or put in, what the state names; None where it names nothing."""
    names = [name for name in state.names if len(name) > 3]
    for commit in findings.commits:
        for hunk in commit.hunks if len(commit.parents) < 2 else ():
            for name in names:
                before, after = (sum(line.text.count(name) for line in side) for side in (hunk.removed, hunk.added))
                if before != after:
                    did = "took away" if before > after else "put in"
                    line = (hunk.added or hunk.removed)[0]
                    return Suspect(
                        file=hunk.file,
                        line=line.new or hunk.new_start,
                        function=None,
                        commit=commit.sha,
                        score=WORTH_NAMING * 2,
                        why=f"it {did} {name!r}, which the failure names",
                    )
    return None


def _what_changed(change: FieldChange) -> str:
    """The change in words; the value of a setting is not told."""
    where = _place(change)
    shown = not any(part in change.pointer for part in SETTLED)
    if change.new is None:
        return f"{where} was removed"
    if change.old is None:
        return f"{where} was added" + (f" ({change.new})" if shown else "")
    return f"{where} was changed" + (f" from {change.old} to {change.new}" if shown else "")


def _place(change: FieldChange) -> str:
    """A pointer as people say it: without what every pod template has, and with the name of its object."""
    path = change.pointer.removeprefix("/spec/template/spec").removeprefix("/")
    path = path.replace("[name=", "").replace("[mountPath=", "").replace("[key=", "").replace("]", "")
    path = path.replace("~1", "/").replace("~0", "~")
    if isinstance(change, ValueChange) and change.kind not in {"Rollout", "Deployment"}:
        return f"{path} of {change.kind} {change.name}"
    return f"{path} of the pod template"


def _claims(findings: Triage, state: State) -> tuple[Claim, ...]:
    """The state first, then the others that stand beside it."""
    own = Claim(text=state.sentence, evidence=state.evidence)
    others = [claim for claim in state_claims(findings) if claim.text != state.sentence]
    return (*sound(findings.bundle, [own]), *others)[:MOST_CLAIMS]


def _change_claims(findings: Triage, change: FieldChange | None) -> tuple[Claim, ...]:
    """The change as the ReplicaSets of the two versions show it."""
    if change is None:
        return ()
    field = change.pointer.removeprefix("/")
    cited: list[Citation] = []
    for side, value in (("canary", change.new), ("stable", change.old)):
        if value is not None and value.strip():
            scene = Scene(findings.bundle, "canary" if side == "canary" else "stable")
            cited += scene.cite_spec(field, value)
    text = f"the pod templates of the two versions differ: {_what_changed(change)}"
    return sound(findings.bundle, [Claim(text=text, evidence=tuple(cited))]) if cited else ()


def _considered(findings: Triage, state: State) -> tuple[str, ...]:
    """What else was seen, and what both versions have and is therefore not the canary's."""
    others = [one.sentence for one in findings.states.own if one is not state and one.weight > CONSEQUENCE]
    shared = [one.sentence for one in findings.states.shared if one.weight > CONSEQUENCE]
    return (*_note("also seen", others), *_note("seen in the stable version as well", shared))


def _note(what: str, sentences: Iterable[str]) -> tuple[str, ...]:
    some = list(dict.fromkeys(sentences))[:3]
    return (f"{what}: {'; '.join(some)}",) if some else ()
