"""What the page shows, read from the database with a connection of its own. Nothing here writes or asks the shell (D11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from shell.answers import PaperTrial
from shell.book_figures import newest_prices
from shell.clock import Clock, SystemClock, from_ms, local_day, local_moment, to_ms
from shell.companion import LinkHealth
from shell.config import Settings
from shell.errors import BrainError, NotNow
from shell.home import Home
from shell.main_book import ISOLATION_FACT, LIVE_FACT, MAIN_BOOK
from shell.market.archive import Archive
from shell.model_costs import by_month
from shell.page import tables
from shell.page.curves import Curve, Marks, Prices, curve_of
from shell.page.links import live_health, wall_health
from shell.portfolio.ledger import Ledger, equity
from shell.report import figures
from shell.report.candidate_rows import candidate_row
from shell.store.books import BookState
from shell.store.place import open_store
from shell.store.store import Store

SOURCE_FACT = "market.source"
FILLS_SHOWN, SIGNALS_SHOWN, NIGHTS_SHOWN, CANDIDATES_SHOWN, HALTS_SHOWN = 40, 60, 30, 30, 20
_CHANGES = text(
    "SELECT max(seq) FROM events WHERE kind IN "
    "('candidate', 'stage', 'paper_started', 'paper_changed', 'night', 'ai_reserved', 'ai_settled')"
)
_NEWER_FEES = text("SELECT seq, filled_at, fee FROM fills WHERE book = :book AND seq > :after ORDER BY seq")


class PageReader:
    """One home for reading. Used by one thread at a time; opened when first asked, so that it may be there before the home."""

    def __init__(self, home: Home, settings: Settings, clock: Clock | None = None) -> None:
        self._home = home
        self._settings = settings
        self._clock = clock or SystemClock()
        self._zone = ZoneInfo(settings.account.timezone)
        self._store: Store | None = None

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def version(self) -> int:
        """A number that moves whenever another connection has committed. -1 while there is no database to read."""
        try:
            store = self._opened()
        except BrainError:
            return -1
        with store.reading() as connection:
            statement = "PRAGMA data_version" if store.is_sqlite else "SELECT max(seq) FROM events"
            return int(connection.exec_driver_sql(statement).scalar() or 0)

    def view(self, links: Sequence[LinkHealth]) -> dict[str, Any]:
        """Everything but the curves. Says so in `problem` where there is nothing to show yet; raises nothing of ours."""
        empty = {"links": tables.links(links), "quote": self._settings.account.quote, "home": self._home.root.name}
        try:
            store = self._opened()
            with store.reading():
                state = store.books.load(MAIN_BOOK)
                if state is None:
                    return {**empty, "problem": "Nothing has happened in this home yet: the page fills itself when it does."}
                return {**empty, "problem": "", **self._filled(store, state, links)}
        except BrainError as error:
            return {**empty, "problem": str(error)}

    def curves(self) -> dict[str, list[float | None]]:
        """The chart's columns: seconds, account value, buy-and-hold (null where unknown), drawdown in percent."""
        try:
            with self._opened().reading():
                return _columns(self._curve(thin=True))
        except NotNow:
            return {"t": [], "equity": [], "held": [], "drawdown": []}

    # -- reading --------------------------------------------------------------------------------------------------

    def _opened(self) -> Store:
        """Raises NotNow when there is no database yet, or one of another version."""
        if self._store is None:
            store = open_store(self._home, read_only=True)
            self._marks = Marks(store, MAIN_BOOK)
            self._prices = Prices(store, Archive(self._home.archive))
            self._fees = _FeeTally(store)
            self._kept: tuple[int, dict[str, Any]] = (-1, {})
            self._store = store
        return self._store

    def _curve(self, *, thin: bool) -> Curve:
        store = self._opened()
        self._marks.refresh()
        capital = store.books.capital_events(MAIN_BOOK)
        times = self._marks.times_ms
        stored, asked = self._prices.symbols(), self._settings.account.symbols
        symbols = asked if set(asked) <= set(stored) else stored  # a rehearsal may have traded others
        closes = self._prices.since(symbols, to_ms(capital[0].at), int(times[-1])) if len(times) and capital else {}
        return curve_of(self._marks, capital, closes, float(self._settings.paper.taker_fee_pct), thin=thin)

    def _filled(self, store: Store, state: BookState, links: Sequence[LinkHealth]) -> dict[str, Any]:
        prices = newest_prices(store, state.ledger)
        curve = self._curve(thin=True)
        marked = from_ms(int(curve.times_ms[-1])) if len(curve.times_ms) else None
        seen = [at for at in (marked, state.last_scan) if at is not None]
        now = max(seen) if seen else None
        known = {each.name for each in links}  # of one link told twice, what this process knows is newer
        live = [each for each in live_health(store.facts.get(LIVE_FACT), self._clock.now()) if each.name not in known]
        health = [wall_health(store.facts.get(ISOLATION_FACT)), *live, *links]
        history = store.halts.history(MAIN_BOOK)
        nightly = dict(self._nightly(store))
        # Money is no JSON: these become rows of the costs, and are not sent themselves.
        costs = self._costs(state.ledger, nightly.pop("model_months"))
        source, _, kind = (store.facts.get(SOURCE_FACT) or "imported candles|real").partition("|")
        return {
            "mode": self._settings.mode, "source": source, "real": kind == "real",
            "as_of": now.isoformat() if now else None,
            "halted": [
                {"kind": each.kind.value, "sentence": each.sentence, "since": figures.moment(each.raised_at)}
                for each in state.halts
            ],
            "headline": self._headline(store, state, prices, curve, now),
            "last": _last(curve), "positions": tables.positions(state.ledger, prices),
            "signals": self._signals(store, now),
            "fills": tables.fills(store.history.newest_fills(MAIN_BOOK, FILLS_SHOWN)),
            "halts": tables.halts(history[-HALTS_SHOWN:]), "links": tables.links(health),
            **nightly, "costs": costs,
        }

    def _headline(
        self, store: Store, state: BookState, prices: Mapping[str, Any], curve: Curve, now: datetime | None
    ) -> list[dict[str, str]]:
        ledger, quote = state.ledger, self._settings.account.quote
        worth = equity(ledger, prices)
        result = worth - ledger.capital
        change = float(result.ratio(ledger.capital)) if ledger.capital.value else 0.0
        held = float(curve.held[-1]) if len(curve.held) else float("nan")
        beat = held / float(ledger.capital) - 1 if ledger.capital.value and held == held else None
        today = worth - state.marks.day_start if state.marks else None
        fall = float(curve.drawdown[-1]) if len(curve.drawdown) else 0.0
        deepest = float(curve.drawdown.min()) if len(curve.drawdown) else 0.0
        active = store.strategies.active() if store.strategies.list() else None
        return [
            _figure(f"Account value, {quote}", figures.money(worth.value),
                    f"{figures.percent(change, sign=True)} from {figures.money(ledger.capital.value)}", change),
            _figure("Buy and hold", figures.percent(beat, sign=True) if beat is not None else figures.ABSENT,
                    "the same money in the same coins" if beat is not None else "prices of the first day are not kept here"),
            _figure(f"Today, {quote}", figures.money(today.value, sign=True) if today is not None else figures.ABSENT,
                    f"since midnight in {self._zone.key}", float(today) if today is not None else 0.0),
            _figure("Drawdown", figures.percent(fall), f"deepest {figures.percent(deepest)}"),
            _figure(f"Cash, {quote}", figures.money(ledger.cash.value),
                    f"{figures.plural(len(ledger.positions), 'position')}, "
                    f"{figures.plural(ledger.trades_closed, 'trade')} closed"),
            _figure("Strategy", active.version if active else "none",
                    f"last scan {figures.moment(state.last_scan)} UTC" if state.last_scan else "no scan yet"),
        ]

    def _signals(self, store: Store, now: datetime | None) -> dict[str, Any]:
        if now is None:
            return tables.signals((), {})
        midnight = local_moment(local_day(now, self._zone), 0, 0, self._zone)
        answers = store.scans.answers(MAIN_BOOK, since=midnight)[-SIGNALS_SHOWN:]
        intents = [each.intent_id for each in answers if each.intent_id]
        return tables.signals(answers, {each.intent.intent_id: each for each in store.history.orders_of(MAIN_BOOK, intents)})

    def _costs(self, ledger: Ledger, model_months: Sequence[tuple[str, int, Decimal]]) -> dict[str, Any]:
        """Fees and models by month, newest first, with the sum of the fees as the ledger has it."""
        quote = self._settings.account.quote
        paid = self._fees.months()
        found = [[month, "exchange fees", count, f"{figures.money(total)} {quote}"] for month, (count, total) in paid]
        cap = figures.money(self._settings.ai.month_usd_max)
        found += [[month, "models", count, f"{figures.money(usd)} of {cap} USD"] for month, count, usd in model_months]
        found.sort(reverse=True)
        if paid:
            every = sum(count for _, (count, _) in paid)
            found.insert(0, ["all", "exchange fees", every, f"{figures.money(ledger.fees_paid.value)} {quote}"])
        return tables.table(("month (UTC)", "kind", "times", "amount"), found, "Nothing has been paid yet.", right=(2, 3))

    def _nightly(self, store: Store) -> dict[str, Any]:
        """Nights and candidates, read again only when one of them has changed: they are long to read."""
        with store.reading() as connection:
            newest = int(connection.execute(_CHANGES).scalar() or 0)
        if newest != self._kept[0]:
            trials: dict[str, PaperTrial] = {each.candidate_id: each for each in store.paper.list()}
            rows = []
            for each in store.candidates.list()[-CANDIDATES_SHOWN:]:
                trial = trials.get(each.candidate_id)
                rows.append(candidate_row(each, trial, store.paper.result(trial.trial_id) if trial else None))
            nights = store.nights.list()[-NIGHTS_SHOWN:]
            found = {"nights": tables.nights(nights), "candidates": tables.candidates(rows)}
            self._kept = (newest, {**found, "model_months": by_month(store.model_calls.costs())})
        return self._kept[1]


class _FeeTally:
    """Fees by month, from fills read once each."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._after = 0
        self._months: dict[str, tuple[int, Decimal]] = {}

    def months(self) -> list[tuple[str, tuple[int, Decimal]]]:
        """Month, number of fills and their fees, oldest first."""
        with self._store.reading() as connection:
            rows = connection.execute(_NEWER_FEES, {"book": MAIN_BOOK, "after": self._after}).all()
        for seq, at, fee in rows:
            count, total = self._months.get(at[:7], (0, Decimal(0)))
            self._months[at[:7]] = (count + 1, total + Decimal(fee))
            self._after = seq
        return sorted(self._months.items())


def _figure(name: str, value: str, detail: str, tone: float = 0.0) -> dict[str, str]:
    return {"name": name, "value": value, "detail": detail, "tone": "gain" if tone > 0 else "loss" if tone < 0 else ""}


def _columns(curve: Curve) -> dict[str, list[float | None]]:
    return {
        "t": [at / 1000 for at in curve.times_ms.tolist()], "equity": [round(value, 2) for value in curve.equity.tolist()],
        "held": [None if value != value else round(value, 2) for value in curve.held.tolist()],
        "drawdown": [round(value * 100, 3) for value in curve.drawdown.tolist()],
    }


def _last(curve: Curve) -> list[float | None] | None:
    """The newest point, which the page adds to its chart without asking for all again."""
    if not len(curve.times_ms):
        return None
    return [column[-1] for column in _columns(curve).values()]

