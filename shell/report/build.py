"""Gather a report's values from the trading database and the candles it ran on. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
import polars as pl

from shell.backtest.buy_and_hold import buy_and_hold_curve
from shell.clock import from_ms, require_utc, to_ms
from shell.config import Settings
from shell.errors import DataError
from shell.market.bars import Tier
from shell.market.check import find_gaps
from shell.market.history import History
from shell.money import NO_MONEY, QuoteAmount
from shell.orders import Fill, SignalAnswer
from shell.portfolio.ledger import TradeClosed
from shell.report import data as rows
from shell.report.candidate_rows import candidate_row, night_row, promotion_row, within
from shell.report.data import ReportData, Series, Value
from shell.report.evidence_rows import count_of, evidence_rows, trials_told
from shell.report.memory_rows import memory_rows
from shell.report.series import downsample
from shell.report.settings_table import settings_table
from shell.store.store import Store
from shell.truth.account import later_flows
from shell.truth.figure import reasons_of, values_of
from shell.truth.truth import BookFacts, Truth, truth_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Period:
    """What the book did within the period, and the money it began with."""

    start: datetime
    end: datetime
    marks: tuple[tuple[datetime, Decimal], ...]
    starting: QuoteAmount
    trades: tuple[TradeClosed, ...]
    fills: tuple[Fill, ...]

    @property
    def fees(self) -> QuoteAmount:
        return sum((fill.fee for fill in self.fills), start=NO_MONEY)


def build_report_data(
    store: Store,
    history: History,
    settings: Settings,
    *,
    title: str,
    start: datetime,
    end: datetime,
    book: str = "main",
    seed: int | None = None,
    planted_edge: bool | None = None,
    quality: Sequence[str] = (),
    notes: Sequence[str] = (),
    statistics: Mapping[str, Value] | None = None,
    partial: bool = False,
) -> ReportData:
    """The report of `book` from `start` to `end`. `history` holds the candles it traded on, in which prices, holes and
    buy-and-hold are looked up; `quality` are sentences about them, `notes` about the run, `statistics` those of the
    `backtesting` library.

    `planted_edge` is read from the market's label unless given. A book that never traded gives a report that says so.
    """
    start, end = require_utc(start), require_utc(end)
    period = _period(store, book, start, end)
    held = _buy_and_hold(history, settings, period)
    final = period.marks[-1][1] if period.marks else period.starting.value
    positions = _positions(store, book, history, end)
    truth = _truth(store, book, period, positions)
    candidates, changes, nights = _nights(store, start, end)
    proposers = {each.candidate_id: each.proposal.provider for each in store.candidates.list()}
    scored = [proposers[score.candidate_id] for score in store.candidates.scores() if score.candidate_id in proposers]
    answers = [each for each in store.scans.answers(book, since=start) if each.decided_at <= end]
    return ReportData(
        title=title, start=start, end=end, mode=settings.mode, source=history.source, real=history.real,
        planted_edge=(not history.real and "planted" in history.source) if planted_edge is None else planted_edge,
        symbols=history.symbols, quote=settings.account.quote, seed=seed, partial=partial, quality=tuple(quality),
        notes=tuple(notes),
        starting_value=period.starting.value, final_value=final, metrics=_metrics(truth, held, float(period.starting)),
        unanswered=reasons_of(truth.book), by_version={name: values_of(each) for name, each in truth.by_version.items()},
        by_symbol={name: values_of(each) for name, each in truth.by_symbol.items()},
        equity=tuple((at, float(value)) for at, value in period.marks), buy_and_hold=held,
        prices={symbol: downsample(_closes(history, symbol, start, end)) for symbol in history.symbols},
        trades=tuple(_trade(trade) for trade in period.trades), positions=positions,
        fills=tuple(_fill(fill) for fill in period.fills), fees_total=period.fees.value,
        fees_by_symbol=_fees_by_symbol(period.fills), nights=nights, candidates=candidates, promotions=changes,
        evidence=evidence_rows(store, settings.gate.min_deflated_sharpe, end, book),
        trials=trials_told(count_of(store), scored), memory=memory_rows(store, start, end, book),
        refusals=_refusals(answers), halts=_halts(store, book, start, end), gaps=_gaps(history, start, end),
        faults=tuple(
            rows.FaultRow(at=at, sentence=text) for at, text in store.history.faults(book) if within(at, start, end)
        ),
        counts=_counts(store, book, answers, period), settings=settings_table(settings), statistics=statistics or {},
        event_log_hash=store.events.head(),
    )


def _period(store: Store, book: str, start: datetime, end: datetime) -> _Period:
    """Capital events within the period count to the money it began with, so that they are no result of it."""
    marks = store.history.equity(book)
    earlier = [mark for mark in marks if mark[0] < start]
    capital = store.books.capital_events(book)
    starting = QuoteAmount(earlier[-1][1]) if earlier else NO_MONEY
    for event in capital:
        if event.at <= end and not (earlier and event.at <= earlier[-1][0]):
            starting = starting + event.amount
    return _Period(
        start=start, end=end, starting=starting,
        marks=tuple(mark for mark in marks if within(mark[0], start, end)),
        trades=tuple(trade for trade in store.history.trades(book) if within(trade.closed_at, start, end)),
        fills=tuple(fill for fill in store.history.fills(book) if within(fill.filled_at, start, end)),
    )


def _buy_and_hold(history: History, settings: Settings, period: _Period) -> Series:
    """Empty where there is no bar in the period, which the report then shows as unknown."""
    taker = float(settings.paper.taker_fee_pct)
    try:
        curve = buy_and_hold_curve(history, period.start, period.end, float(period.starting), taker)
    except DataError:
        return ()
    series = tuple((from_ms(int(at)), float(value)) for at, value in zip(curve.times_ms, curve.values, strict=True))
    return downsample(series)


def _truth(store: Store, book: str, period: _Period, positions: Sequence[rows.PositionRow]) -> Truth:
    capital = later_flows(period.marks, store.books.capital_events(book))
    put_in = sum((event.amount for event in capital), start=NO_MONEY)
    return truth_of(
        BookFacts(
            marks=period.marks, starting=period.starting - put_in, trades=period.trades, fills=period.fills,
            capital=capital, open_since=[position.opened for position in positions],
        )
    )


def _metrics(truth: Truth, held: Series, starting: float) -> dict[str, Value]:
    metrics: dict[str, Value] = dict(values_of(truth.book))
    if held and starting > 0:
        metrics["buy_and_hold_return_pct"] = held[-1][1] / starting - 1
    return metrics


def _bars(history: History, symbol: str, start: datetime, end: datetime) -> pl.DataFrame:
    opened = pl.col("timestamp").dt.epoch("ms")
    inside = (opened >= to_ms(start)) & (opened + Tier.M5.ms <= to_ms(end))
    return history.m5[symbol].filter(inside).select(opened.alias("open_ms"), "close")


def _closes(history: History, symbol: str, start: datetime, end: datetime) -> Series:
    """Closes at the time they were known."""
    return tuple((from_ms(at + Tier.M5.ms), close) for at, close in _bars(history, symbol, start, end).iter_rows())


def _gaps(history: History, start: datetime, end: datetime) -> tuple[rows.GapRow, ...]:
    found = []
    for symbol in history.symbols:
        times = _bars(history, symbol, start, end)["open_ms"].to_numpy().astype(np.int64)
        for gap in find_gaps(Tier.M5, times):
            ends = from_ms(to_ms(gap.last) + Tier.M5.ms)
            found.append(rows.GapRow(symbol=symbol, begins=gap.first, ends=ends, bars=gap.bars))
    return tuple(found)


def _trade(trade: TradeClosed) -> rows.TradeRow:
    return rows.TradeRow(
        symbol=trade.symbol, opened=trade.opened_at, closed=trade.closed_at, entry=trade.entry_price.value,
        exit=trade.exit_price.value, qty=trade.qty.value, pnl=trade.pnl.value, pnl_pct=trade.pnl_pct,
        fees=trade.fees.value, exit_purpose=trade.exit_purpose, version=trade.version,
    )


def _fill(fill: Fill) -> rows.FillRow:
    return rows.FillRow(
        symbol=fill.symbol, at=fill.filled_at, side=fill.side.value, price=fill.price.value, qty=fill.qty.value,
        purpose=fill.intent.purpose.value,
    )


def _fees_by_symbol(fills: Sequence[Fill]) -> dict[str, Decimal]:
    found: dict[str, QuoteAmount] = {}
    for fill in fills:
        found[fill.symbol] = found.get(fill.symbol, NO_MONEY) + fill.fee
    return {symbol: found[symbol].value for symbol in sorted(found)}


def _positions(store: Store, book: str, history: History, end: datetime) -> tuple[rows.PositionRow, ...]:
    """What is held now, at the last close seen by `end`; nothing for a period that ended before the last fill."""
    state = store.books.load(book)
    fills = store.history.fills(book)
    if state is None or (fills and fills[-1].filled_at > end):
        return ()
    found = []
    for symbol, position in state.ledger.positions.items():
        closes = _closes(history, symbol, position.opened_at, end) if symbol in history.m5 else ()
        entry = position.avg_entry.value
        price = Decimal(repr(closes[-1][1])) if closes else entry
        stop, target = position.stop_loss, position.take_profit
        found.append(
            rows.PositionRow(
                symbol=symbol, qty=position.qty.value, entry=entry, price=price,
                unrealised=(price - entry) * position.qty.value, stop_loss=stop.value if stop else None,
                take_profit=target.value if target else None, opened=position.opened_at, version=position.version,
            )
        )
    return tuple(found)


def _nights(
    store: Store, start: datetime, end: datetime
) -> tuple[tuple[rows.CandidateRow, ...], tuple[rows.PromotionRow, ...], tuple[rows.NightRow, ...]]:
    known = store.candidates.list()
    trials = {trial.candidate_id: trial for trial in store.paper.list()}
    candidates = []
    for candidate in known:
        if within(candidate.proposed_at, start, end):
            trial = trials.get(candidate.candidate_id)
            result = store.paper.result(trial.trial_id) if trial else None
            candidates.append(candidate_row(candidate, trial, result))
    changes = [promotion_row(promotion, known) for promotion in store.promotions.list()]
    changes += [
        rows.PromotionRow(
            at=event.at, version=str(event.payload["version"]), previous=str(event.payload["previous"]),
            candidate_id="", hash="", rollback=True, reason=str(event.payload.get("reason", "")),
        )
        for event in store.events.rows(kind="rollback")
    ]
    changes.sort(key=lambda change: change.at)
    active = changes[-1].version if changes else _first_version(store)
    nights = tuple(
        night_row(night.night, night.decision, candidates, changes, active)
        for night in store.nights.list() if within(night.at, start, end)
    )
    return tuple(candidates), tuple(change for change in changes if within(change.at, start, end)), nights


def _first_version(store: Store) -> str:
    return store.strategies.active().version if store.strategies.list() else ""


def _refusals(answers: Sequence[SignalAnswer]) -> tuple[rows.RefusalRow, ...]:
    """Most frequent first, each with the first sentence given."""
    refused = [answer for answer in answers if not answer.approved]
    counts = Counter(answer.code for answer in refused)
    first = {answer.code: answer.sentence for answer in reversed(refused)}
    return tuple(
        rows.RefusalRow(code=code, count=counts[code], sentence=first[code])
        for code in sorted(counts, key=lambda code: (-counts[code], code))
    )


def _halts(store: Store, book: str, start: datetime, end: datetime) -> tuple[rows.HaltRow, ...]:
    """Those that stood at any moment of the period."""
    return tuple(
        rows.HaltRow(
            kind=row.halt.kind.value, sentence=row.halt.sentence, raised_at=row.halt.raised_at, lifted_at=row.lifted_at,
            lifted_by=row.lifted_by or "",
        )
        for row in store.halts.history(book)
        if row.halt.raised_at <= end and (row.lifted_at is None or row.lifted_at >= start)
    )


def _counts(store: Store, book: str, answers: Sequence[SignalAnswer], period: _Period) -> rows.Counts:
    scans = sum(scan.slot <= period.end for scan in store.scans.list(book, since=period.start))
    orders = sum(within(order.intent.decided_at, period.start, period.end) for order in store.history.orders(book))
    return rows.Counts(scans=scans, signals=len(answers), orders=orders, fills=len(period.fills))
