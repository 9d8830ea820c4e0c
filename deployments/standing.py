"""How a home stands, read from its database alone: true beside a running shell, and after a crash."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx
import numpy as np

from deployments.prefect_password import password_command
from deployments.prefect_server import URL_FILE
from shell.book_figures import newest_prices, position_row
from shell.clock import SystemClock
from shell.config import Settings
from shell.errors import BrainError
from shell.home import Home, HomeLock
from shell.host.isolation import isolation_is_complete
from shell.main_book import ISOLATION_FACT, KIND_FACT, LIMITS_FACT, LIVE_FACT, MAIN_BOOK
from shell.portfolio.ledger import Ledger, equity
from shell.portfolio.valuation import open_positions
from shell.promotion.permission import unanswered
from shell.risk.halts import HaltKind, after_lift
from shell.risk.limits import limits_hash
from shell.staged_capital import STAGE_FACT
from shell.store.place import open_store
from shell.store.store import Store
from shell.store.strategies import Quarantined
from shell.watchdog import heartbeat_age

SCAN_TIMES_OVER = timedelta(days=1)
PREFECT_SECONDS_MAX = 2.0


def standing_of(home: Home, store: Store) -> dict[str, Any]:
    """The answer of `brain status`. `heartbeat_age` is in seconds, None where no shell trades; `books_check` is empty when the
    stored books equal a replay of their own facts."""
    with store.reading():
        state = store.books.load(MAIN_BOOK)
        ledger = state.ledger if state else Ledger()
        prices = newest_prices(store, ledger)
        versions = store.strategies.list()
        active = store.strategies.active() if versions else None
        checks = [f"{book}: {problem}" for book in store.books.names() for problem in store.books.check(book)]
        trials = [trial for trial in store.paper.list() if trial.state in ("running", "extended")]
        isolation = store.facts.get(ISOLATION_FACT)
        caught = store.strategies.quarantined()
        times = scan_times(store, state.last_scan if state else None)
        live, kind = store.facts.get(LIVE_FACT), store.facts.get(KIND_FACT) or "paper"
        stage = store.facts.get(STAGE_FACT)
    writer, age = HomeLock.writer_of(home), heartbeat_age(home, SystemClock().now())
    return {
        "mode": kind, "halted": sorted(halt.kind.value for halt in store.halts.active(MAIN_BOOK)),
        "positions": [position_row(each) for each in open_positions(ledger, prices)], "cash": float(ledger.cash),
        "total_value": float(equity(ledger, prices)), "starting_value": float(ledger.capital),
        "strategy": {"version": active.version if active else "none", "hash": active.hash if active else ""},
        "prefect": prefect_of(home), "last_scan": state.last_scan if state else None,
        "open_orders": len(state.open_orders) if state else 0, "trades_closed": ledger.trades_closed,
        "paper_trials": [{"trial": each.trial_id, "candidate": each.candidate_id, "due_at": each.due_at} for each in trials],
        "candidates": len(store.candidates.list()), "books_check": checks, "event_log_hash": store.events.head(),
        "scan_ms": times, "quarantine": [quarantine_row(each) for each in caught],
        "shell": {"running": bool(writer), "pid": int(writer) if writer.isdigit() else None, "live": live},
        "heartbeat_age": None if age is None else age.total_seconds(), "capital_stage": stage,
        "approvals_waiting": unanswered(store),
        "isolation": isolation, "isolation_gap": isolation_is_complete(isolation or {}),
    }


def page_of(home: Home) -> str:
    """Where the running shell serves its page, "" where none runs or it has not told yet. A home beside the project takes any
    free port, so the settings do not tell."""
    if not HomeLock.writer_of(home):
        return ""
    try:
        with open_store(home, read_only=True) as store:
            live = store.facts.get(LIVE_FACT)
    except BrainError:
        return ""
    beside = live["beside"] if live is not None and live["running"] else ()
    return next((str(each["sentence"]) for each in beside if each["name"] == "page" and each["ok"]), "")


def scan_times(store: Store, last_scan: datetime | None) -> dict[str, float | int] | None:
    """Milliseconds from slot to signals and orders over the scans of the last day that gave an answer; None without one."""
    if last_scan is None:
        return None
    scans = store.scans.list(MAIN_BOOK, since=last_scan - SCAN_TIMES_OVER)
    taken = [scan.milliseconds for scan in scans if not scan.fault]
    if not taken:
        return None
    median, p95 = np.percentile(taken, [50, 95]).tolist()
    return {"median": round(median, 2), "p95": round(p95, 2), "count": len(taken)}


def quarantine_row(found: Quarantined) -> dict[str, Any]:
    """Code that never runs again."""
    return {"name": found.name, "hash": found.hash, "sentence": found.sentence, "at": found.at}


def lift_stored(store: Store, kind: HaltKind, by: str, at: datetime, settings: Settings) -> list[str]:
    """Lift a halt of a home whose shell is not running; returns the halts that remain. Raises NotNow if it is not halted."""
    with store.transaction():
        store.halts.lift(kind, MAIN_BOOK, by, at)
        if kind is HaltKind.LIMITS_CHANGED:
            store.facts.set(LIMITS_FACT, limits_hash(settings.risk))
        state = store.books.load(MAIN_BOOK)
        if state is not None and state.marks is not None:
            value = equity(state.ledger, newest_prices(store, state.ledger))
            _, marks = after_lift(kind, state.ledger, state.marks, value)
            store.books.save_marks(MAIN_BOOK, marks)
    return sorted(halt.kind.value for halt in store.halts.active(MAIN_BOOK))


def prefect_of(home: Home) -> dict[str, Any]:
    """Whether a Prefect server of this home answers, and what shows its password. Nothing of trading depends on it (D1)."""
    note = home.prefect / URL_FILE
    if not note.is_file():
        return {"reachable": False, "pid": None, "url": None, "password_command": password_command(home)}
    url, _, pid = note.read_text(encoding="utf-8").strip().partition(" ")
    try:
        reachable = httpx.get(f"{url}/health", timeout=PREFECT_SECONDS_MAX).status_code == 200
    except httpx.HTTPError:
        reachable = False
    found = int(pid) if reachable and pid.isdigit() else None
    return {"reachable": reachable, "pid": found, "url": url, "password_command": password_command(home)}
