"""What an answer is worth beside the truth of a labelled case, and two naive answers to compare with."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agents.changes import Commit, at_the_canary
from agents.frames import find_traces, map_path
from tests.labelled import Answered, Case

FILE_NAME = re.compile(r"[\w@.+-]+(?:/[\w@.+-]+)*\.\w{1,10}")


class Claimed(NamedTuple):
    """An answer: what is named first, and what is named among the first three."""

    category: str
    file: str | None
    function: str | None
    commit: str | None
    files: tuple[str, ...]
    commits: tuple[str, ...]


class Mark(NamedTuple):
    """Which parts of an answer are right; None where the case does not ask for the part."""

    category: bool
    file: bool | None
    file3: bool | None
    function: bool | None
    commit: bool | None
    commit3: bool | None
    false_alarm: bool

    @property
    def is_right(self) -> bool:
        """Whether nothing that was said is wrong, and nothing that was asked for is missing."""
        parts: tuple[bool | None, ...] = (self.category, self.file, self.commit, not self.false_alarm)
        return all(part is not False for part in parts)


def claimed(answered: Answered) -> Claimed:
    """The product's answer, its commits by the names of the case."""
    names = {sha: name for name, sha in answered.shas.items()}
    diagnosis = answered.diagnosis
    place, culprit = diagnosis.location, diagnosis.culprit_commit
    suspects = [one for one in diagnosis.suspects if one.repository == answered.case.expect.repository]
    return Claimed(
        category=diagnosis.category,
        file=place.file if place else None,
        function=place.function if place else None,
        commit=names.get(culprit, culprit) if culprit else None,
        files=_first_three([*([place.file] if place else []), *(one.file for one in suspects)]),
        commits=_first_three(
            [*([culprit] if culprit else []), *(one.commit for one in suspects)],
            names,
        ),
    )


def mark(case: Case, answer: Claimed) -> Mark:
    """Compare an answer with the truth."""
    expect = case.expect
    wants_file, wants_commit = expect.files != (None,), expect.commits != (None,)
    alarm = (not wants_file and answer.file is not None) or (not wants_commit and answer.commit is not None)
    return Mark(
        category=answer.category in expect.categories,
        file=answer.file in expect.files if wants_file else None,
        file3=bool({*expect.files} & {*answer.files, answer.file}) if wants_file else None,
        function=answer.function == expect.function if expect.function else None,
        commit=answer.commit in expect.commits if wants_commit else None,
        commit3=bool({*expect.commits} & {*answer.commits, answer.commit}) if wants_commit else None,
        false_alarm=alarm,
    )


def deepest_frame(answered: Answered) -> Claimed:
    """The deepest frame whose file is in the tree, and the last commit that touched that file."""
    findings = answered.findings
    files = answered.tree
    for item in findings.bundle.logs("canary"):
        for trace in find_traces(item.id, findings.bundle.contents[item.id]):
            for frame in trace.root.frames:
                file = map_path(frame.path.replace("\\", "/"), files)
                if file is not None:
                    return _naive("code", file, frame.function, answered)
    return _naive("unknown", None, None, answered)


def first_error_line(answered: Answered) -> Claimed:
    """`grep -i error | head`: the first file that the first ten such lines name, if the tree has it."""
    findings = answered.findings
    files = answered.tree
    lines = [
        line
        for item in findings.bundle.logs("canary")
        for line in findings.bundle.contents[item.id].split("\n")
        if "error" in line.lower()
    ]
    for line in lines[:10]:
        for name in FILE_NAME.findall(line):
            file = map_path(name, files)
            if file is not None:
                return _naive("code", file, None, answered)
    return _naive("code" if lines else "unknown", None, None, answered)


def _naive(category: str, file: str | None, function: str | None, answered: Answered) -> Claimed:
    touched = [commit.sha for commit in answered.findings.commits if _touches(commit, file)] if file else []
    names = {sha: name for name, sha in answered.shas.items()}
    commit = names.get(touched[0], touched[0]) if touched else None
    return Claimed(category, file, function, commit, (file,) if file else (), _first_three(touched, names))


def _touches(commit: Commit, file: str | None) -> bool:
    return any(hunk.file == file for _, hunks in at_the_canary([commit]) for hunk in hunks)


def _first_three(found: Iterable[str], names: dict[str, str] | None = None) -> tuple[str, ...]:
    distinct = list(dict.fromkeys(found))[:3]
    return tuple((names or {}).get(one, one) for one in distinct)


def tally(marks: Sequence[Mark]) -> dict[str, float | int | None]:
    """The figures of DESIGN section 10, in percent; None where no case asks."""
    parts: dict[str, list[bool | None]] = {
        "category": [*(one.category for one in marks)],
        "file_top1": [one.file for one in marks],
        "file_top3": [one.file3 for one in marks],
        "function_top1": [one.function for one in marks],
        "commit_top1": [one.commit for one in marks],
        "commit_top3": [one.commit3 for one in marks],
    }
    shares = {name: share([bool(one) for one in values if one is not None]) for name, values in parts.items()}
    return {"cases": len(marks), **shares, "false_alarms": sum(one.false_alarm for one in marks)}


def share(values: Sequence[bool]) -> float | None:
    """Percent of the true ones; None of nothing."""
    return round(100 * sum(values) / len(values), 1) if values else None


def calibration(answered: Sequence[Answered]) -> dict[str, dict[str, float | int | None]]:
    """How often each level of confidence was right in all that it said, with the number of cases."""
    levels: dict[str, list[bool]] = defaultdict(list)
    for one in answered:
        levels[one.diagnosis.confidence].append(mark(one.case, claimed(one)).is_right)
    return {level: {"cases": len(levels[level]), "right": share(levels[level])} for level in ("high", "medium", "low")}
