"""A written history as a real git repository: the same words make the same commits, byte for byte."""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

BASE = "base"
START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
WHO = "Ana Ruiz <ana@acme.example>"
REGULAR, SUBMODULE = "100644", "160000"
Tree = Mapping[str, str]


class Edit(BaseModel):
    """Replace text that stands once in a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    find: str
    replace: str


class Step(BaseModel):
    """One commit on the one before it, or on `on`; `merge` is its second parent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    subject: str
    files: Mapping[str, str | None] = {}
    edits: tuple[Edit, ...] = ()
    renames: Mapping[str, str] = {}
    on: str | None = None
    merge: str | None = None


class History(BaseModel):
    """A repository: its first tree, its commits, and which of them are the two versions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Mapping[str, str]
    commits: tuple[Step, ...] = ()
    stable: str = BASE
    canary: str
    tip: str | None = None
    """Where `main` is; None: at the canary's commit."""
    modes: Mapping[str, str] = {}
    """Path -> git's mode, for what is not 100644. A link's text is where it leads, a submodule's its commit."""


def make_repository(history: History, folder: Path) -> dict[str, str]:
    """Write the history as a bare repository; id -> sha. `ValueError` names the commit that cannot be made."""
    trees, parents = _grow(history)
    tip = history.tip or history.canary
    for named in (history.stable, history.canary, tip):
        if named not in trees:
            raise ValueError(f"there is no commit {named!r}; there are {', '.join(trees)}")
    _git(folder.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(folder))
    marks = folder / "marks"
    stream = "".join(_commit(at, name, history, trees, parents) for at, name in enumerate(trees, 1))
    numbers = {name: at for at, name in enumerate(trees, 1)}
    tail = f"reset refs/heads/main\nfrom :{numbers[tip]}\n\n"
    _git(folder, "fast-import", "--quiet", f"--export-marks={marks}", stdin=(stream + tail).encode())
    shas = dict(line.split(" ") for line in marks.read_text().splitlines())
    return {name: shas[f":{number}"] for name, number in numbers.items()}


def _grow(history: History) -> tuple[dict[str, Tree], dict[str, tuple[str, ...]]]:
    """Every commit's tree and parents, in order."""
    trees: dict[str, Tree] = {BASE: dict(history.base)}
    parents: dict[str, tuple[str, ...]] = {BASE: ()}
    last = BASE
    for step in history.commits:
        if step.id in trees:
            raise ValueError(f"two commits are called {step.id!r}")
        first = step.on or last
        for named in (first, step.merge):
            if named is not None and named not in trees:
                raise ValueError(f"{step.id}: there is no commit {named!r} before it")
        tree = _merged(first, step, trees, parents) if step.merge else dict(trees[first])
        trees[step.id] = _changed(tree, step)
        parents[step.id] = (first, step.merge) if step.merge else (first,)
        last = step.id
    return trees, parents


def _merged(first: str, step: Step, trees: Mapping[str, Tree], parents: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Both sides' changes since they parted; what both changed at the same place, the merge itself must write."""
    other = str(step.merge)
    mine = _ancestors(first, parents)
    fork = next(name for name in _ancestors(other, parents) if name in mine)
    tree = dict(trees[first])
    for path in {*trees[other], *trees[fork]}:
        theirs, before = trees[other].get(path), trees[fork].get(path)
        if theirs == before:
            continue
        if trees[first].get(path) not in {before, theirs} and path not in step.files:
            theirs = _merged_text(trees[first].get(path), before, theirs)
            if theirs is None:
                raise ValueError(f"{step.id}: both sides changed {path}, so the merge must give its text in `files`")
        tree.pop(path, None)
        if theirs is not None:
            tree[path] = theirs
    return tree


def _merged_text(ours: str | None, before: str | None, theirs: str | None) -> str | None:
    """What git makes of the two sides of a file; None where it cannot."""
    if ours is None or before is None or theirs is None:
        return None
    with tempfile.TemporaryDirectory(prefix="selfheal-merge-") as folder:
        names = [Path(folder) / name for name in ("ours", "before", "theirs")]
        for name, text in zip(names, (ours, before, theirs), strict=True):
            name.write_text(text, encoding="utf-8")
        done = subprocess.run(["git", "merge-file", "-p", *map(str, names)], capture_output=True, check=False)
    return done.stdout.decode() if done.returncode == 0 else None


def _ancestors(name: str, parents: Mapping[str, Sequence[str]]) -> list[str]:
    found, queue = [], [name]
    while queue:
        here = queue.pop(0)
        if here not in found:
            found.append(here)
            queue += parents[here]
    return found


def _changed(tree: dict[str, str], step: Step) -> dict[str, str]:
    for old, new in step.renames.items():
        if old not in tree:
            raise ValueError(f"{step.id}: there is no file {old} to rename")
        tree[new] = tree.pop(old)
    for path, text in step.files.items():
        tree.pop(path, None)
        if text is not None:
            tree[path] = text
    for edit in step.edits:
        count = tree.get(edit.path, "").count(edit.find)
        if count != 1:
            raise ValueError(f"{step.id}: {edit.find!r} stands {count} times in {edit.path}, not once")
        tree[edit.path] = tree[edit.path].replace(edit.find, edit.replace)
    return tree


def _commit(
    at: int,
    name: str,
    history: History,
    trees: Mapping[str, Tree],
    parents: Mapping[str, Sequence[str]],
) -> str:
    """One commit for `git fast-import`, with its whole tree."""
    subject = next((step.subject for step in history.commits if step.id == name), "Start")
    when = f"{WHO} {int((START + timedelta(hours=at)).timestamp())} +0000"
    numbers = {known: number for number, known in enumerate(trees, 1)}
    lines = [f"commit refs/heads/{name}", f"mark :{at}", f"author {when}", f"committer {when}", _data(subject)]
    lines += [f"{'merge' if n else 'from'} :{numbers[parent]}" for n, parent in enumerate(parents[name])]
    lines += [
        "deleteall",
        *(_entry(path, text, history.modes.get(path, REGULAR)) for path, text in trees[name].items()),
    ]
    return "\n".join(lines) + "\n\n"


def _entry(path: str, text: str, mode: str) -> str:
    if mode == SUBMODULE:
        return f'M {mode} {text} "{path}"'
    return f'M {mode} inline "{path}"\n{_data(text)}'


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}"


def _git(folder: Path, *argv: str, stdin: bytes = b"") -> None:
    subprocess.run(["git", *argv], cwd=folder, input=stdin, check=True, capture_output=True)
