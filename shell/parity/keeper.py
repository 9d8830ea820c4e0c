"""The parity of one shell's main book: compare since the last mark, explain, record, tell, and mark anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from shell.backtest.result import BacktestSettings
from shell.clock import from_ms, parse_moment, to_ms
from shell.engine import Engine
from shell.errors import BrainError, StrategyFault
from shell.exchange.gateway import FeeSchedule
from shell.host.frames import FramesWanted
from shell.host.supervisor import HostedStrategy
from shell.market.bars import Tier
from shell.market.check import find_gaps
from shell.market.frames import rows_of
from shell.market.history import History
from shell.market.pair import Pair
from shell.measured_halts import MEASURED_HALTS
from shell.notices.kinds import Severity
from shell.notices.link_watch import AFTER
from shell.orders import OrderState
from shell.parity.compare import Difference, Run, compare_runs
from shell.parity.explain import Circumstances, explain
from shell.parity.mark import fills_after, restored, take_mark
from shell.parity.run import begun, run_again
from shell.staged_capital import recorded_shares
from shell.store.books import BookState
from shell.store.events import Event
from shell.store.parity import ParityMark, ParityResult
from shell.store.store import Store

# What a book may be compared over at most: a machine that was off for months is not worth stepping through.
WINDOW_MAX = timedelta(days=7)
STEP = timedelta(minutes=5)
LATE_BAR = "late_bar"
SYSTEM = "system"
ONLINE = "System online"
LINK, EXCHANGE = "link", "Kraken"
DIFFERENCES_KEPT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityParts:
    """What the shell lends: its store and engine, how histories are read, and the costs and pairs of its books."""

    store: Store
    engine: Engine
    history: Callable[[datetime, datetime], History]
    settings: BacktestSettings
    pairs: Mapping[str, Pair]
    fees: Mapping[str, FeeSchedule]
    notify: Callable[[str, str, str, datetime], None]


def check_parity(parts: ParityParts, now: datetime) -> dict[str, Any]:
    """Compare what the main book did since the last mark with a second run of it, and mark `now`.

    The answer says `compared` False, and why, where there was nothing to compare: the first time, without a scan since, or
    when the second run could not be made. A difference that nothing on record explains is told the operator.
    """
    book, store = parts.engine.config.book, parts.store
    mark = store.parity.mark(book)
    try:
        answer = _compare(parts, mark, now) if mark is not None else _nothing("the first mark was set now")
    except BrainError as error:
        answer = _nothing(f"the window could not be run again: {error}")
    _set_mark(parts, now)
    return answer


def _compare(parts: ParityParts, mark: ParityMark, now: datetime) -> dict[str, Any]:
    store, book = parts.store, parts.engine.config.book
    until = _reached(parts.engine, now)
    if until <= mark.at:
        return _nothing("there was no scan since the last comparison")
    if until - mark.at > WINDOW_MAX:
        return _nothing(f"the last comparison is more than {WINDOW_MAX.days} days ago; it begins anew")
    state = restored(mark, store, book)
    if state is None:
        return _nothing("the book had no money at the last mark")
    source = store.strategies.get(mark.version).source
    with begun(source, parts.settings) as hosted:
        # Read while the strategy's process starts: either takes some tenths of a second.
        history = parts.history(mark.at, until)
        main = main_run(store, book, mark, until)
        try:
            again = _again(parts, mark, state, hosted, history, until)
        except FramesWanted:
            # Its text did not show it. All of that run is forgotten, and nothing of it was seen by anybody.
            state = restored(mark, store, book)
            assert state is not None, "the same mark on the same store"
            with begun(source, parts.settings, frames=True) as framed:
                again = _again(parts, mark, state, framed, history, until)
    compared = compare_runs(main, again, mark.at, until)
    facts = replace(circumstances(store, book, history, mark, until), slips=compared.slips)
    explained = explain(compared.differences, facts)
    unknown = [each for each in explained if not each.known]
    result = ParityResult(
        since=mark.at, until=until, version=mark.version, scans=compared.scans, scans_equal=compared.scans_equal,
        fills=compared.fills, fills_equal=compared.fills_equal, explained=not unknown,
        differences=tuple(each.as_dict() for each in explained[:DIFFERENCES_KEPT]),
    )
    store.parity.record(book, result)
    if unknown:
        parts.notify("parity", "warning", _alarm(unknown[0].difference, result), now)
    return {
        "compared": True, "reason": sentence_of(result), "since": mark.at.isoformat(), "until": until.isoformat(),
        "scans": result.scans, "scans_equal": result.scans_equal, "fills": result.fills, "fills_equal": result.fills_equal,
        "figure": result.figure, "explained": result.explained, "differences": [dict(each) for each in result.differences],
    }


def _again(
    parts: ParityParts, mark: ParityMark, state: BookState, hosted: HostedStrategy, history: History, until: datetime
) -> Run:
    return run_again(
        mark, state, hosted, history, until, book=parts.engine.config.book, settings=parts.settings,
        pairs=dict(parts.pairs), fees=dict(parts.fees), share_at=recorded_shares(parts.store),
    )


def _alarm(first: Difference, result: ParityResult) -> str:
    told = [f"only main: {each}" for each in first.only_main[:2]]
    told += [f"only the second run: {each}" for each in first.only_replay[:2]]
    return (
        f"what the main book did at {first.slot:%Y-%m-%d %H:%M} UTC differs from a backtest of the same bars, and nothing on "
        f"record explains it ({'; '.join(told) or 'only one of them scanned'}); {result.scans_equal} of {result.scans} scans "
        "agree"
    )


def sentence_of(result: ParityResult) -> str:
    """One comparison in a sentence."""
    text = f"{result.scans_equal} of {result.scans} scans and {result.fills_equal} of {result.fills} fills equal a second run's"
    if result.scans_equal == result.scans:
        return text
    return f"{text}; " + ("every difference is explained" if result.explained else "not every difference is explained")


def _reached(engine: Engine, now: datetime) -> datetime:
    """Up to when the book was stepped: `now` while it scans, its last scan when it has been down since."""
    last = engine.last_scan
    return now if last is None or now - last < timedelta(minutes=engine.interval_minutes) else last


def main_run(store: Store, book: str, mark: ParityMark, until: datetime) -> Run:
    """What the book did after the mark up to `until`, as it is on record. Fills of the last slot's orders, which an exchange
    makes at once and a second run at the next bar, are left out: they are behind the next mark."""
    since, last_slot = mark.at, _bar_edge(until)
    return Run(
        scans=[scan for scan in store.scans.list(book, since=since) if since < scan.slot <= until],
        answers=[each for each in store.scans.answers(book, since=since) if since < each.decided_at <= until],
        fills=[fill for fill in fills_after(mark, store, book) if fill.filled_at < last_slot],
    )


def circumstances(store: Store, book: str, history: History, mark: ParityMark, until: datetime) -> Circumstances:
    """What is on record about the window that may explain a difference."""

    def inside(at: datetime) -> bool:
        return mark.at < at <= until

    halts: list[tuple[datetime, str]] = []
    early: list[tuple[datetime, str]] = []
    for row in store.halts.history(book):
        kind, raised = row.halt.kind, row.halt.raised_at
        if row.lifted_at is not None and inside(row.lifted_at):
            halts.append((row.lifted_at, f"{kind.value} was lifted by {row.lifted_by} at {row.lifted_at:%Y-%m-%d %H:%M} UTC"))
        if not inside(raised):
            continue
        sentence = f"{kind.value} stopped openings at {raised:%Y-%m-%d %H:%M} UTC: {row.halt.sentence}"
        # What arithmetic raised, the second run raises as well, but not before the bar has closed.
        if kind not in MEASURED_HALTS:
            halts.append((raised, sentence))
        elif raised != _bar_edge(raised):
            early.append((raised, f"inside a bar {sentence}"))
    system = [each for each in store.outbox.list() if each.kind == SYSTEM and each.text.startswith(ONLINE)]
    late = [event for event in store.events.rows(kind=LATE_BAR) if inside(event.at)]
    refused = [each for each in store.history.orders(book) if each.state in (OrderState.REJECTED, OrderState.UNKNOWN)]
    return Circumstances(
        version=mark.version, starts=[each.at for each in system if inside(each.at)],
        late=[(str(event.payload["symbol"]), parse_moment(str(event.payload["opened"])), _told(event)) for event in late],
        gaps=[(symbol, at) for symbol, frame in history.m5.items() for at in _missing(frame) if inside(at)],
        rejected=[(each.intent.symbol, each.updated_at, each.reason) for each in refused if inside(each.updated_at)],
        halts=sorted(halts), early=sorted(early), outages=_outages(store, until),
        capital=[event.at for event in store.books.capital_events(book) if inside(event.at)],
    )


def _outages(store: Store, until: datetime) -> list[tuple[datetime, datetime, str]]:
    """From when to when the exchange did not answer, as people were told: the warning comes `AFTER` its beginning."""
    found: list[tuple[datetime, datetime, str]] = []
    for each in store.outbox.list():
        if each.kind != LINK or not each.text.startswith(EXCHANGE):
            continue
        if each.severity != Severity.INFO.value:
            told = f"the exchange did not answer from {each.at - AFTER:%Y-%m-%d %H:%M} UTC on"
            found.append((each.at - AFTER, until, told))
        elif found:
            begun, _, told = found[-1]
            found[-1] = (begun, each.at + STEP, told)
    return found


def _bar_edge(at: datetime) -> datetime:
    """The last moment up to `at` at which a bar could close."""
    return from_ms(to_ms(at) // Tier.M5.ms * Tier.M5.ms)


def _told(event: Event) -> str:
    return str(event.payload.get("sentence", "the bar came after its scan"))


def _missing(frame: pl.DataFrame) -> list[datetime]:
    """Open times of the 5m bars that are not there, between the first and the last."""
    gaps = find_gaps(Tier.M5, rows_of(frame)[:, 0].astype(np.int64))
    return [gap.first + number * STEP for gap in gaps for number in range(gap.bars)]


def _set_mark(parts: ParityParts, now: datetime) -> None:
    try:
        state = parts.engine.seat.keep_state()
    except StrategyFault:
        # The step that meets it quarantines the strategy; without a state there is no mark to begin from.
        return
    parts.store.parity.save_mark(parts.engine.config.book, take_mark(parts.store, parts.engine, state, now))


def _nothing(reason: str) -> dict[str, Any]:
    return {"compared": False, "reason": reason, "scans": 0, "scans_equal": 0, "figure": None, "differences": []}
