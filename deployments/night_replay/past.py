"""The ledger as it stood when a night began: everything up to one fact's number, and nothing after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shell.answers import ActiveStrategy, VersionRow
from shell.errors import DataError
from shell.predictions import Grade, Prediction
from shell.store.documents import text_hash
from shell.store.events import Event
from shell.store.store import Store
from shell.store.strategies import Quarantined, VersionState
from shell.trials.candidate import Candidate, Stage, StageResult, TrialScore, Verdict


@dataclass(frozen=True, slots=True)
class _Known:
    """What the log says was known: candidates, their stages, how many scores, versions that were active, searches,
    code that was caught."""

    candidates: frozenset[str]
    stages: frozenset[tuple[str, str]]
    scores: int
    active: tuple[tuple[str, datetime], ...]
    searched: datetime | None
    caught: Mapping[str, Quarantined]


class Past:
    """One store, read as of fact number `last`."""

    def __init__(self, store: Store, last: int) -> None:
        self._store = store
        self._last = last
        candidates, stages, active = set(), set(), []
        scores, searched, caught = 0, None, dict[str, Quarantined]()
        for event in _up_to(store, last):
            match event.kind:
                case "candidate":
                    candidates.add(str(event.payload["candidate"]))
                case "stage":
                    stages.add((str(event.payload["candidate"]), str(event.payload["stage"])))
                case "score":
                    scores += 1
                case "searches":
                    searched = event.at
                case "strategy_active":
                    active.append((str(event.payload["version"]), event.at))
                case "quarantine":
                    digest = str(event.payload["hash"])
                    told = {name: str(event.payload[name]) for name in ("name", "sentence")}
                    caught[digest] = Quarantined(hash=digest, at=event.at, **told)
                case _:
                    continue
        self._known = _Known(frozenset(candidates), frozenset(stages), scores, tuple(active), searched, caught)

    def candidates(self) -> list[Candidate]:
        """In order, each with the stages it had passed by then."""
        return [
            _as_of(each, [result for result in each.stages if (each.candidate_id, result.stage.value) in self._known.stages])
            for each in self._store.candidates.list() if each.candidate_id in self._known.candidates
        ]

    def scores(self) -> Sequence[TrialScore]:
        return self._store.candidates.scores()[: self._known.scores]

    def active(self) -> ActiveStrategy:
        """Raises DataError when none was active yet."""
        if not self._known.active:
            raise DataError("no strategy was active when this night began")
        version, since = self._known.active[-1]
        row = self._store.strategies.get(version)
        return ActiveStrategy(version=row.version, hash=row.hash, source=row.source, since=since)

    def versions(self) -> list[VersionRow]:
        """Versions there were: all but those that came from a promotion that was not active yet."""
        born = {each.version for each in self._store.promotions.list() if each.candidate_id}
        active = dict(self._known.active)
        return [
            replace(row, promoted_at=active.get(row.version), state=self._state(row, active).value)
            for row in self._store.strategies.index() if row.version not in born or row.version in active
        ]

    def caught(self) -> Mapping[str, Quarantined]:
        """Code in quarantine, by its hash."""
        return self._known.caught

    def predictions(self, at: datetime) -> list[Prediction]:
        """Those made before `at`, ungraded where that came at `at` or later."""
        return [
            each if each.graded_at is not None and each.graded_at < at
            else replace(each, grade=Grade.OPEN, value=None, graded_at=None)
            for each in self._store.model_calls.predictions() if each.made_at < at
        ]

    def document(self, digest: str, now_there: str) -> str:
        """The text with this hash: a kept version, or the one that is there now. Raises DataError when it is neither."""
        for text in (now_there, *(each.text for each in self._store.documents.versions())):
            if text_hash(text) == digest:
                return text
        raise DataError(f"the strategy document of that night (hash {digest}) is not kept: a person replaced it before it was")

    def _state(self, row: VersionRow, active: Mapping[str, datetime]) -> VersionState:
        if self._known.active and row.version == self._known.active[-1][0]:
            return VersionState.ACTIVE
        if row.hash in self._known.caught:
            return VersionState.QUARANTINED
        return VersionState.RETIRED if row.version in active else VersionState.ARCHIVED

    def last_search(self) -> datetime | None:
        return self._known.searched

    def came_of_it(self, until: int | None) -> list[Candidate]:
        """The candidates registered after this moment, up to fact number `until` (None: the end)."""
        names = [
            str(event.payload["candidate"]) for event in self._store.events.rows(kind="candidate", after=self._last)
            if until is None or event.seq <= until
        ]
        return [self._store.candidates.get(name) for name in names]


def _up_to(store: Store, last: int) -> list[Event]:
    found = []
    for event in store.events.rows():
        if event.seq > last:
            break
        found.append(event)
    return found


def _as_of(candidate: Candidate, stages: list[StageResult]) -> Candidate:
    last = stages[-1] if stages else None
    verdict = Verdict.PENDING
    if any(not stage.passed for stage in stages):
        verdict = Verdict.REFUSED
    elif last is not None and last.stage is Stage.PROMOTE:
        verdict = Verdict.PROMOTED
    reviewed = any(stage.stage is Stage.REVIEW for stage in stages)
    return replace(
        candidate, stages=tuple(stages), verdict=verdict, stage=last.stage if last else Stage.GENERATE,
        reasons=last.reasons if last else (), change_class=candidate.change_class if reviewed else None,
    )
