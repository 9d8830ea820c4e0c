"""The rehearsal: the whole system over weeks of replayed or invented market, nights included, on a virtual clock (design 8).

It is the demo, the end-to-end test and what an operator runs before going live: shell, strategy host, books, nights as real
Prefect flows, promotion with hot swap. Everything lives in a private home; the same seed gives the same event log.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from deployments.fallen_market import fallen
from deployments.incidents import Misfortune, script_of, told_of
from deployments.opening import OpenHome, account_overrides, open_replay, settings_for
from deployments.prefect_password import password_of
from deployments.prefect_server import PrefectServer, shared_clients, using
from deployments.rehearsal_venue import Comparison, RehearsalExchange
from deployments.reporting import write_report
from deployments.transcript import Said, write_transcript
from shell.clock import Night, VirtualClock, local_day, local_moment, monotonic, next_night, parse_moment
from shell.config import Settings
from shell.desk import Desk
from shell.errors import DataError, UsageError
from shell.home import Home, HomeLock
from shell.log import configure
from shell.market.book import period_of
from shell.market.folder import load_history
from shell.market.history import History
from shell.market.pair import parse_symbol
from shell.market.synthetic import synthetic_market
from shell.risk.halts import HaltKind
from shell.service import MAIN_BOOK
from shell.trials.candidate import Candidate, Stage, Verdict
from tasks.context import use_client

STEP = timedelta(minutes=5)
SYNTHETIC_SYMBOLS = ("BTC/USD", "ETH/USD")
SYNTHETIC_START = "2026-03-03"
# As long as a night uses at most: the longer the selection segment, the more candidates its search budget allows.
SYNTHETIC_PAST_DAYS = 240
DAYS_MAX = 3660
SNAPSHOT_HOUR, SNAPSHOT_MINUTE = 23, 55
MARK = "REHEARSAL.txt"
OPERATOR = "the rehearsal's operator"
SIMULATOR, PAPER = "simulator", "paper"
VENUES = (SIMULATOR, PAPER)

Tell = Callable[["Progress"], None]
Operator = Callable[[OpenHome, datetime], Sequence[str]]
"""Called at the end of each day; answers what a person did and saw then, a line each, for the transcript."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a rehearsal is asked to do. `market` is used when there is no `data`: synthetic or planted-edge."""

    days: int = 14
    data: Path | None = None
    market: str = "synthetic"
    symbols: tuple[str, ...] = ()
    start: str = ""
    seed: int = 7
    out: Path = Path("reports/rehearsal")
    # Not the settings': a rehearsal's nights would spend real money in minutes.
    provider: str = "local"
    # Where the main book trades: the local Kraken in lockstep, or the paper gateway. Trials are always on paper.
    venue: str = SIMULATOR
    # Let things go wrong on purpose, and judge what people were told of it.
    incidents: bool = False
    # Plays the operator, if there is one. Without, halts are lifted before each night.
    operator: Operator | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a rehearsal is, for the live line."""

    steps_done: int
    steps: int
    now: datetime
    doing: str
    value: float
    version: str
    candidates: int
    promotions: int


@dataclass(slots=True)
class _Run:
    """What the loop counts and carries."""

    opened: OpenHome
    desk: Desk
    clock: VirtualClock
    start: datetime
    end: datetime
    tell: Tell
    seed: int
    exchange: RehearsalExchange | None = None
    misfortune: Misfortune | None = None
    operator: Operator | None = None
    said: list[Said] = field(default_factory=list)
    lowest_ratio: float = 1.0
    peak: float = 0.0
    nights: int = 0
    halts_lifted: int = 0
    partial: bool = False

    def report(self, now: datetime, doing: str) -> None:
        status_value = float(self.opened.shell.engine.equity())
        store = self.opened.store
        self.tell(
            Progress(
                steps_done=int((now - self.start) / STEP), steps=int((self.end - self.start) / STEP), now=now,
                doing=doing, value=status_value, version=store.strategies.active().version,
                candidates=store.candidates.count(), promotions=len(store.promotions.list()),
            )
        )


def rehearse(options: Options, tell: Tell) -> dict[str, Any]:
    """Run a rehearsal to its end, or to Ctrl-C, and write its report; returns the figures of the command.

    Raises DataError or UsageError, before anything is written, when it cannot be done.
    """
    begun = monotonic()
    history = _history(options)
    start, end = _period(options, history)
    incidents = script_of(start, options.days) if options.incidents else ()
    if incidents:
        history = fallen(history, incidents)
    home = Home.private(options.out)
    settings = _settings(home, history, options.provider)
    _require_ours(home)
    home.root.mkdir(parents=True, exist_ok=True)
    with HomeLock(home) as lock:
        _clear(home)
        configure(home, settings.log.level, console=False)
        with ExitStack() as held:
            server = held.enter_context(PrefectServer(home.prefect, password_of(home)))
            clock, exchange = VirtualClock(start), None
            if options.venue == SIMULATOR:
                home.create()
                exchange = RehearsalExchange(history, settings, clock, home=home, seed=options.seed)
                held.callback(exchange.close)
            opened = open_replay(
                home, settings, history, start, end, lock, exchange.venue if exchange is not None else None
            )
            held.callback(opened.close)
            run = _Run(opened, Desk(opened.shell), clock, start, end, tell, options.seed, exchange, operator=options.operator)
            if exchange is not None and incidents:
                run.misfortune = Misfortune(incidents, opened.shell, exchange)
            with using(server, home.prefect), _stopping_gently(run):
                asyncio.run(_days_and_nights(run, server))
            opened.shell.shutdown(opened.shell.now)
            compared = exchange.compare(opened.shell, opened.store) if exchange is not None else None
            return _figures(run, options, history, home, monotonic() - begun, compared)


@contextmanager
def _stopping_gently(run: _Run) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run after the step or night they fall into, never in the middle of one."""

    def ask(_number: int, _frame: object) -> None:
        run.partial = True

    asked = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, ask) for number in asked]
    try:
        yield
    finally:
        for number, handler in zip(asked, before, strict=True):
            signal.signal(number, handler)


async def _days_and_nights(run: _Run, server: PrefectServer) -> None:
    """Step through every slot; the nights and the day's snapshot run as flows at their moments."""
    shell = run.opened.shell
    # Where somebody reads them, messages wait for that.
    shell.notices.delivered_elsewhere = run.operator is not None
    shell.start(run.start)
    night = next_night(run.start - STEP)
    snapshot = _next_snapshot(run.start, shell.zone)
    waited = False
    now = run.start
    async with AsyncExitStack() as held:
        held.enter_context(use_client(run.desk))
        while now <= run.end and not run.partial:
            _step(run, now)
            _measure(run)
            if now >= min(night.begins, snapshot) and not waited:
                run.report(now, "waiting for the Prefect server")
                ready = asyncio.create_task(asyncio.to_thread(server.wait))
                await asyncio.sleep(0)  # The thread begins before what follows holds this one.
                # Meanwhile: the first night needs them, and reading them takes as long as the server takes to come up.
                import_module("flows.orchestrate")
                import_module("flows.snapshot")
                await ready
                await held.enter_async_context(shared_clients())
                waited = True
            if now >= snapshot:
                await _snapshot(now)
                if run.operator is not None:
                    run.said.append(Said(at=now, lines=tuple(run.operator(run.opened, now))))
                snapshot = _next_snapshot(now, shell.zone)
            if now >= night.begins and now < run.end:
                await _night(run, night, now)
                night = next_night(now)
            if now.minute == 0:
                run.report(now, "trading")
                await asyncio.sleep(0)
            now += STEP
    run.report(shell.now, "stopped" if run.partial else "done")


def _step(run: _Run, now: datetime) -> None:
    """Let a bar pass at the exchange, if there is one, and here."""
    shell, exchange, misfortune = run.opened.shell, run.exchange, run.misfortune
    if misfortune is not None:
        misfortune.strike(now)
    if exchange is None:
        run.clock.advance_to(now)
    else:
        exchange.lead(shell, now)
    # The last moment belongs to the next day: it is marked, and no longer scanned.
    shell.step(now, origin=misfortune.origin(now) if misfortune is not None else "rehearsal", scan=now < run.end)
    if exchange is not None:
        exchange.settle(shell, now)
    if misfortune is not None:
        misfortune.watched(now)


async def _night(run: _Run, night: Night, now: datetime) -> None:
    from flows.orchestrate import orchestrate

    run.report(now, f"night of {night.day}")
    run.nights += 1
    for kind in list(run.opened.shell.engine.halts):
        if run.operator is None and kind is not HaltKind.KILL_SWITCH:
            run.opened.shell.lift(kind, OPERATOR, now)
            run.halts_lifted += 1
    if run.misfortune is None:
        await orchestrate(now=now, seed=run.seed)
        return
    with run.misfortune.night(now, run.desk) as provider:
        await orchestrate(now=now, seed=run.seed, provider=provider)


async def _snapshot(now: datetime) -> None:
    from flows.snapshot import snapshot

    await snapshot(now=now)


def _measure(run: _Run) -> None:
    value = float(run.opened.shell.engine.equity())
    run.peak = max(run.peak, value)
    if run.peak > 0:
        run.lowest_ratio = min(run.lowest_ratio, value / run.peak)


def _history(options: Options) -> History:
    if options.incidents and options.venue != SIMULATOR:
        raise UsageError(f"--incidents strike at the exchange: they need --venue {SIMULATOR}")
    if options.venue not in VENUES:
        raise UsageError(f"--venue {options.venue!r} is unknown: {' or '.join(VENUES)}")
    if not 1 <= options.days <= DAYS_MAX:
        raise UsageError(f"--days {options.days} is out of range: 1 to {DAYS_MAX}")
    symbols = [parse_symbol(symbol) for symbol in options.symbols]
    if options.data is not None:
        return load_history(options.data, symbols or None)
    begin = _moment(options.start or SYNTHETIC_START) - timedelta(days=SYNTHETIC_PAST_DAYS)
    kind = "plain" if options.market == "synthetic" else options.market
    return synthetic_market(
        options.seed, symbols or list(SYNTHETIC_SYMBOLS), begin, SYNTHETIC_PAST_DAYS + options.days, kind
    )


def _period(options: Options, history: History) -> tuple[datetime, datetime]:
    first, last = period_of(history.m5.values())
    length = timedelta(days=options.days)
    if options.start:
        start = _moment(options.start)
    elif options.data is None:
        start = _moment(SYNTHETIC_START)
    else:
        start = (last - length).replace(hour=0, minute=0, second=0, microsecond=0)
    if start < first or start + length > last:
        raise DataError(
            f"{options.days} days from {start:%Y-%m-%d} are not in the history, which runs from {first:%Y-%m-%d %H:%M} "
            f"to {last:%Y-%m-%d %H:%M} UTC: choose --start and --days inside it"
        )
    return start, start + length


def _settings(home: Home, history: History, provider: str) -> Settings:
    # What is invented here has no business among the trials of the account.
    private = {"ai.provider": provider, "ai.vertex.export": "off"}
    return settings_for(home, {**account_overrides(history.symbols), **private})


def _require_ours(home: Home) -> None:
    """Refuse to touch what no rehearsal made."""
    if home.root.exists() and not home.root.is_dir():
        raise UsageError(f"--out {home.root} is a file; choose a folder")
    if home.root.exists() and any(home.root.iterdir()) and not (home.root / MARK).is_file():
        raise UsageError(
            f"--out {home.root} holds files that no rehearsal made: choose an empty folder, or one that does not exist"
        )


def _clear(home: Home) -> None:
    """Begin with nothing: an earlier rehearsal in the folder is replaced. The lock that is held on it stays."""
    for path in sorted(home.root.iterdir()):
        if path == home.lock_file:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    words = "Made by `brain rehearse`, which replaces this folder when it is given again.\n"
    (home.root / MARK).write_text(words, encoding="utf-8")


def _next_snapshot(after: datetime, zone: Any) -> datetime:
    day = local_day(after, zone)
    moment = local_moment(day, SNAPSHOT_HOUR, SNAPSHOT_MINUTE, zone)
    while moment <= after:
        day += timedelta(days=1)
        moment = local_moment(day, SNAPSHOT_HOUR, SNAPSHOT_MINUTE, zone)
    return moment


def _moment(text: str) -> datetime:
    try:
        return parse_moment(text)
    except ValueError as error:
        raise UsageError(f"--start: {error}") from None


def _reasons(candidate: Candidate) -> list[str]:
    """Why a candidate ended as it did; for a promoted one with what it showed in backtest and on paper."""
    reasons = list(candidate.reasons)
    if candidate.verdict is Verdict.PROMOTED:
        shown = (Stage.BACKTEST, Stage.GATE, Stage.PAPER)
        reasons += [reason for each in candidate.stages if each.stage in shown for reason in each.reasons]
    return reasons


def _figures(
    run: _Run, options: Options, history: History, home: Home, seconds: float, compared: Comparison | None
) -> dict[str, Any]:
    store, engine = run.opened.store, run.opened.shell.engine
    counts = store.history.counts(MAIN_BOOK)
    candidates = [
        {
            "id": each.candidate_id, "verdict": each.verdict.value, "stage": each.stage.value,
            "reasons": _reasons(each), "hypothesis": each.proposal.hypothesis, "provider": each.proposal.provider,
            "change_class": each.change_class.value if each.change_class else None,
        }
        for each in store.candidates.list()
    ]
    head = store.events.head()
    zone, told = run.opened.shell.zone, None
    if run.misfortune is not None:
        first, last = local_day(run.start, zone), local_day(run.opened.shell.now, zone)
        messages = store.outbox.list()
        told = told_of(run.misfortune.incidents, messages, zone, first, last)
        told["transcript"] = str(write_transcript(home, run.misfortune.incidents, messages, run.said, zone, options.seed))
    report = write_report(
        run.opened, title="Rehearsal", seed=options.seed, start=run.start, end=run.opened.shell.now,
        history=history, partial=run.partial, halts_lifted=run.halts_lifted,
        notes=[compared.sentence] if compared is not None else [],
    )
    return {
        "days": options.days, "nights": run.nights, "scans": counts["scans"], "signals": counts["signals"],
        "orders": counts["orders"], "fills": counts["fills"], "candidates": candidates,
        "promotions": sum(each["verdict"] == Verdict.PROMOTED.value for each in candidates),
        "starting_value": float(engine.ledger.capital), "final_value": float(engine.equity()),
        "max_drawdown_pct": 1.0 - run.lowest_ratio, "data": {"source": history.source, "real": history.real},
        "symbols": list(history.symbols), "start": run.start.isoformat(), "seed": options.seed,
        "halts_lifted": run.halts_lifted, "books_check": store.books.check(MAIN_BOOK), "partial": run.partial,
        "venue": options.venue, "exchange_check": compared.as_dict() if compared is not None else None,
        "told": told, "report": str(report), "home": str(home.root), "event_log_hash": head, "seconds": round(seconds, 1),
    }
