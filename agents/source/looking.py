"""One repository at the canary's commit: reads what the traces and messages lead to, and ranks the changes by it."""

import asyncio
from collections.abc import Iterable, Sequence

from agents.changes import Commit, Repository, named_now, only_formats
from agents.errors import Denied
from agents.evidence import Bundle
from agents.frames import Frame, Mapper, Trace, layout_of, naming_files
from agents.logs import Template
from agents.reach import reached_by
from agents.slowness import Fault, rank_slow
from agents.source.nouns import Seen, SourceFindings
from agents.source.revisions import range_between, resolve
from agents.source.rivals import files_of, rivals_of
from agents.suspects import (
    MOST_CALLS,
    MOST_LINES,
    PROSE,
    TEST_PATH,
    WORTH_NAMING,
    Call,
    Clues,
    Origins,
    Sources,
    Suspect,
    beneath,
    called_names,
    calls_at,
    calls_worded,
    chain_of,
    clues_of,
    is_handed_up,
    names_of,
    phrases_of,
    rank,
    reaching,
    sought,
    statement_places,
    used_at,
    worded,
)
from agents.syntax import language_of

MOST_FILES_READ = 400
MOST_FORMATTING = 50
MOST_RIVALS = 3
"""Traces that only the canary has and that are looked at, where the first leads to nothing."""
MOST_CALLERS = 60
"""Files that are read for who calls what has changed."""


async def look_at_source(bundle: Bundle, repository: Repository | None, seen: Seen, notes: list[str]) -> SourceFindings:
    """Map the traces and rank the changes. Notes what could not be looked at."""
    bare = SourceFindings(traces=seen.traces, trace=next(iter(rivals_of(seen.traces, seen.old)), None))
    if repository is None:
        return bare
    canary = await resolve(repository, bundle.manifest.canary.commit, "the canary's source revision", notes)
    stable = await resolve(repository, bundle.manifest.stable.commit, "the stable version's source revision", notes)
    if canary is None:
        return bare
    commits, difference, compared = await range_between(repository, stable, canary, notes)
    try:
        tree = await repository.files(canary)
        look = _Look(repository, canary, stable, tree, commits, difference)
        return await look.at(bundle, seen, notes, compared=compared)
    except Denied as error:
        notes.append(f"the source cannot be read at the canary's commit: {error}")
        suspects = await asyncio.to_thread(rank, commits, clues_of(bare.trace, seen.templates), {})
        return bare.model_copy(update={"commits": commits, "compared": compared, "suspects": suspects})


class _Look:
    """One repository at the canary's commit, and the range that led to it."""

    def __init__(
        self,
        repository: Repository,
        canary: str,
        stable: str | None,
        tree: Sequence[str],
        commits: tuple[Commit, ...],
        difference: str | None,
    ) -> None:
        self._repository = repository
        self._canary = canary
        self._stable = stable
        self._tree = tree
        self._commits = commits
        self._difference = difference
        self._texts: dict[str, str] = {}

    async def at(self, bundle: Bundle, seen: Seen, notes: list[str], *, compared: bool) -> SourceFindings:
        mapper = await self._mapper(seen.traces, bundle.manifest.canary.path)
        await self._read(await asyncio.to_thread(mapper.wanted, seen.traces))
        traces = await asyncio.to_thread(mapper.mapped, seen.traces, self._texts)
        rivals = rivals_of(traces, seen.old)
        notes += mapper.doubts()
        trace = rivals[0] if rivals else None
        suspects: tuple[Suspect, ...] = ()
        places: tuple[Frame, ...] = ()
        by_route = False
        if rivals:
            await self._read(await asyncio.to_thread(self._changed, rivals))
            trace, suspects = await self._best(rivals, seen.templates)
            if is_handed_up(trace, self._texts):
                found, places = await self._by_messages(seen.templates, trace)
                suspects = found if places else suspects
        elif seen.slowdown is not None:
            suspects = await self._behind(seen.slowdown.canary_example.path, "slow")
        else:
            suspects, places = await self._by_messages(seen.templates)
            if seen.failing is not None and not places and not (suspects and suspects[0].score >= WORTH_NAMING):
                behind = await self._behind(seen.failing.example.path, "failing")
                by_route, suspects = bool(behind), behind or suspects
        return SourceFindings(
            by_route=by_route,
            traces=traces,
            trace=trace,
            texts=self._texts,
            commits=self._commits,
            compared=compared,
            suspects=suspects,
            statements=places,
        )

    async def _mapper(self, traces: Sequence[Trace], source_path: str | None) -> Mapper:
        languages = {trace.language for trace in traces}
        naming = naming_files(self._tree) if languages & {"go", "javascript"} else []
        texts = await self._repository.read_all(self._canary, naming) if naming else {}
        return Mapper(layout_of(self._tree, texts, source_path))

    async def _read(self, paths: Iterable[str]) -> None:
        """Add these files to what is known of the commit."""
        there = set(self._tree)
        wanted = [path for path in dict.fromkeys(paths) if path in there and path not in self._texts]
        room = MOST_FILES_READ - len(self._texts)
        if wanted and room > 0:
            self._texts |= await self._repository.read_all(self._canary, wanted[:room])

    def _changed(self, traces: Sequence[Trace]) -> list[str]:
        """The source files that the range changed, those nearest to the traces first."""
        folders = {file.rpartition("/")[0] for file in files_of(traces)}
        files = dict.fromkeys(hunk.file for _, hunks in named_now(self._commits) for hunk in hunks)
        found = [file for file in files if language_of(file) is not None]
        return sorted(
            found, key=lambda file: (file.rpartition("/")[0] not in folders, TEST_PATH.search(file) is not None)
        )

    async def _best(self, rivals: Sequence[Trace], templates: Sequence[Template]) -> tuple[Trace, tuple[Suspect, ...]]:
        """The first trace that a change explains, else the first, with its suspects."""
        first: tuple[Trace, tuple[Suspect, ...]] | None = None
        for trace in rivals[:MOST_RIVALS]:
            clues = clues_of(trace, templates, {path: text.split("\n") for path, text in self._of(trace).items()})
            suspects = await self._ranked(clues)
            if suspects and suspects[0].score >= WORTH_NAMING:
                return trace, suspects
            first = first or (trace, suspects)
        return first or (rivals[0], ())

    def _of(self, trace: Trace) -> dict[str, str]:
        return {file: self._texts[file] for file in files_of([trace]) if file in self._texts}

    async def _ranked(self, clues: Clues) -> tuple[Suspect, ...]:
        if not self._commits:
            return ()
        origins = await self._origins(clues)
        suspects = await asyncio.to_thread(
            rank, self._commits, clues, self._texts, difference=self._difference, origins=origins
        )
        if (suspects and suspects[0].score >= WORTH_NAMING) or not clues.calls:
            return suspects
        return await self._reached(clues, origins) or suspects

    async def _origins(self, clues: Clues) -> Origins | None:
        """Who wrote the functions of the trace; None where that cannot be asked."""
        if self._stable is None:
            return None
        sources = Sources(self._texts)
        spans: dict[str, set[tuple[int, int]]] = {}
        for call in clues.calls[:MOST_CALLS]:
            path, line = str(call.frame.file), call.frame.line
            if path in sources and 1 <= line <= len(sources.lines(path)):
                function = sources.function_at(path, line)
                first, last = (function.first_line, function.last_line) if function else (line, line)
                is_long = last - first > MOST_LINES
                spans.setdefault(path, set()).add((line, line) if is_long else (first, last))
            elif path not in sources and line:
                spans.setdefault(path, set()).add((line, line))  # too large to be read, but not to be asked about
        ignoring = only_formats(self._commits)[:MOST_FORMATTING]
        changed = {hunk.file for _, hunks in named_now(self._commits) for hunk in hunks}
        wanted = [path for path in spans if path in changed]
        answers = await asyncio.gather(
            *(
                self._repository.origins(self._canary, path, sorted(spans[path]), self._stable, ignoring)
                for path in wanted
            )
        )
        return {(path, line): sha for path, found in zip(wanted, answers, strict=True) for line, sha in found.items()}

    async def _reached(self, clues: Clues, origins: Origins | None) -> tuple[Suspect, ...]:
        """Suspects that the trace's functions reach through functions which are not in it."""
        names = await asyncio.to_thread(called_names, self._commits, clues, self._texts, self._difference)
        endings = {f".{call.frame.file.rpartition('.')[2]}" for call in clues.calls if call.frame.file}
        if not names or not endings:
            return ()
        hits = await self._repository.mentions(self._canary, names, sorted(endings))
        await self._read(dict.fromkeys(hit.path for hit in hits[: MOST_CALLERS * 5]))
        via = await asyncio.to_thread(
            reaching, names, [(hit.path, hit.line, hit.text) for hit in hits], clues, self._texts
        )
        if not via:
            return ()
        return await asyncio.to_thread(
            rank, self._commits, clues, self._texts, difference=self._difference, origins=origins, reached=via
        )

    async def _by_messages(
        self, templates: Sequence[Template], trace: Trace | None = None
    ) -> tuple[tuple[Suspect, ...], tuple[Frame, ...]]:
        """Suspects where no trace tells a place: by the statements that wrote what only the canary says."""
        chain = chain_of(trace, templates)
        phrases = [*sought(templates), *phrases_of(chain)]
        calls: tuple[Call, ...] = ()
        places: tuple[Frame, ...] = ()
        if phrases:
            endings = sorted({f".{path.rpartition('.')[2]}" for path in self._tree if language_of(path) is not None})
            hits = await self._repository.mentions(self._canary, phrases, endings)
            lines = [(hit.path, hit.line, hit.text) for hit in hits if not TEST_PATH.search(hit.path)]
            calls = await self._worded(lines, chain, endings)
            places = tuple(call.frame for call in calls if call.depth == 0) or statement_places(lines, templates)
        await self._read([str(frame.file) for frame in places])
        await self._read(await asyncio.to_thread(self._changed, ()))
        clues = clues_of(trace, templates, {path: text.split("\n") for path, text in self._texts.items()})
        calls = beneath(calls, clues.calls) if clues.calls else calls or calls_at(places)
        if trace is not None and not calls:
            places = ()
        clues = clues.model_copy(update={"calls": calls})
        return await self._ranked(clues), places

    async def _worded(
        self, lines: Sequence[tuple[str, int, str]], chain: Sequence[str], endings: Sequence[str]
    ) -> tuple[Call, ...]:
        """The statements among these lines that word an error, and those that use one which is worded elsewhere."""
        said = await asyncio.to_thread(worded, lines, chain)
        await self._read([one.frame.path for one in said])
        names = names_of(said, self._texts)
        if names:
            hits = await self._repository.mentions(self._canary, list(names), endings)
            said += used_at([(hit.path, hit.line, hit.text) for hit in hits if not TEST_PATH.search(hit.path)], names)
            await self._read([one.frame.path for one in said])
        return calls_worded(said, self._texts)

    async def _behind(self, path: str, what: Fault) -> tuple[Suspect, ...]:
        """Suspects among the functions that a request reaches."""
        paths = [
            path for path in self._tree if language_of(path) and not PROSE.search(path) and not TEST_PATH.search(path)
        ]
        await self._read(paths)
        reached = await asyncio.to_thread(reached_by, path, self._texts)
        return await asyncio.to_thread(rank_slow, self._commits, reached, self._texts, what)
