"""Writing the HTML report of a home, after a rehearsal or whenever somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from deployments.cli.homes import read_store
from deployments.opening import SOURCE_FACT, OpenHome, settings_for
from shell.backtest.crosscheck import crosscheck
from shell.backtest.result import BacktestSettings
from shell.config import Settings
from shell.errors import BrainError, DataError
from shell.home import Home
from shell.market.archive import Archive
from shell.market.bars import Tier
from shell.market.history import History
from shell.market.tiers import full_history
from shell.money import QuoteAmount
from shell.report.build import build_report_data
from shell.report.html import render_html
from shell.service import MAIN_BOOK
from shell.store.candles import CandleStore
from shell.store.store import Store
from shell.trials.segments import SegmentName

REPORT_FILE = "report.html"


def write_report(
    opened: OpenHome, *, title: str, seed: int, start: datetime, end: datetime, history: History, partial: bool,
    halts_lifted: int, notes: Sequence[str] = (),
) -> Path:
    """The report of a rehearsal, in its reports folder; `notes` are sentences for its head."""
    lifted = [f"the scripted operator lifted {halts_lifted} halts"] if halts_lifted else []
    return _write(
        opened.store, opened.settings, opened.home, history, title, start, end, seed, [*notes, *lifted], partial
    )


def write_stored_report(home: Home) -> Path:
    """The report of everything a home has done. Raises DataError when it has done nothing yet."""
    settings = settings_for(home)
    with read_store(home) as store:
        events = store.books.capital_events(MAIN_BOOK)
        state = store.books.load(MAIN_BOOK)
        if not events or state is None or state.last_scan is None:
            raise DataError("nothing has been traded in this home yet, so there is nothing to report")
        candles, archive = CandleStore(store), Archive(home.archive)
        label = (store.facts.get(SOURCE_FACT) or "imported candles|real").partition("|")
        history = full_history(
            candles, archive, _symbols_of(candles, archive, events[0].at, state.last_scan),
            events[0].at, state.last_scan, source=label[0], real=label[2] == "real",
        )
        return _write(store, settings, home, history, "Report", events[0].at, state.last_scan, None, [], False)


def _symbols_of(candles: CandleStore, archive: Archive, start: datetime, end: datetime) -> list[str]:
    """The symbols with bars from while this home traded; its store may hold others from other times. All of them where there
    is none, so that what is missing is told."""
    def seen(symbol: str) -> bool:
        return any(not read(symbol, Tier.M5, start, end).is_empty() for read in (candles.between, archive.read))

    known = candles.symbols()
    return [symbol for symbol in known if seen(symbol)] or known


def _write(
    store: Store, settings: Settings, home: Home, history: History, title: str, start: datetime, end: datetime,
    seed: int | None, notes: list[str], partial: bool,
) -> Path:
    data = build_report_data(
        store, history, settings, title=title, start=start, end=end, seed=seed, notes=notes, partial=partial,
        statistics=_library_view(store, settings, history, start, end),
    )
    path = home.reports / REPORT_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_html(data), encoding="utf-8")
    return path


def _library_view(store: Store, settings: Settings, history: History, start: datetime, end: datetime) -> dict[str, Any]:
    """What the `backtesting` library says of the active strategy, alone on the first symbol over the same days.

    It is a backtest of its own, so it keeps out of the vault: only the days after it are looked at, if any is in the period.
    """
    newest = store.looks.newest()
    if newest is not None and newest.segments[SegmentName.VAULT].start < end:
        start = max(start, newest.segments[SegmentName.VAULT].end)
        if start >= end:
            return {"not available": "the whole period lies in the vault, which no report runs a backtest on"}
    active, symbol = store.strategies.active(), history.symbols[0]
    account = BacktestSettings(
        cash=QuoteAmount(settings.account.starting_cash), paper=settings.paper, risk=settings.risk,
        zone=ZoneInfo(settings.account.timezone), host=settings.host,
    )
    try:
        checked = crosscheck(active.source, history, symbol, start=start, end=end, settings=account)
    except BrainError as error:
        return {"not available": str(error)}
    return {"Strategy": f"{active.version} alone on {symbol}", **checked.library_statistics}
