"""Answers to the commands that read: how the account stands, short enough for a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shell.clock import NEW_YORK, local_day
from shell.host.isolation import isolation_is_complete
from shell.main_book import ISOLATION_FACT, LIVE_FACT, MAIN_BOOK
from shell.model_calls import Tier
from shell.model_costs import by_night, total_usd
from shell.notices.kinds import Severity
from shell.portfolio.ledger import TradeClosed
from shell.report import figures
from shell.risk.halts import Halt, HaltKind
from shell.store.store import Store
from shell.telegram.books import Reader, Standing
from shell.telegram.commands import COMMANDS
from shell.telegram.text import Button, Reply, as_of, bold, duration, facts, plain, pre

TRADES_SHOWN = 10
TRADES_MAX = 50
NIGHTS_SHOWN = 3


def help_() -> Reply:
    """Every command in a line; the same table as in docs/telegram.md."""
    lines = [bold("Trading Brain"), *(f"{plain(each.usage)} – {plain(each.does)}" for each in COMMANDS.values())]
    return Reply(html="\n".join(lines))


def status(reader: Reader) -> Reply:
    found, now = reader.standing(), reader.clock.now()
    quote = reader.settings.account.quote
    before = found.value - found.day_pnl
    part = f" ({figures.percent(found.day_pnl / before, sign=True)})" if before > 0 else ""
    rows = [
        ("Value", f"{figures.money(found.value)} {quote}"),
        ("Day", f"{figures.money(found.day_pnl, sign=True)}{part}"),
        ("Since start", figures.percent(found.value / found.starting - 1, sign=True) if found.starting > 0 else figures.ABSENT),
        ("Drawdown", figures.percent(found.drawdown_pct)),
        ("Cash", figures.money(found.cash)),
        ("Positions", str(len(found.positions))),
        ("Strategy", found.version),
        ("Last scan", _ago(found.last_scan, now)),
    ]
    broken = [link for link in reader.links() if not link.ok]
    lines = [f"{bold(headline(found))}", facts(rows), *_halt_lines(found.halts)]
    lines += [f"{plain(link.name)}: {plain(link.sentence)}" for link in broken]
    return Reply(html="\n".join([*lines, _as_of(found, now)]))


def headline(found: Standing) -> str:
    """Whose money, and whether openings may leave."""
    if any(halt.kind is HaltKind.KILL_SWITCH for halt in found.halts):
        state = "KILLED: no opening leaves"
    elif found.halts:
        paused = all(halt.kind is HaltKind.OPERATOR_PAUSE for halt in found.halts)
        state = "paused" if paused else "openings HALTED"
    else:
        state = "trading"
    return f"{'Live money' if found.mode == 'live' else 'Paper'}: {state}"


def health(reader: Reader) -> Reply:
    """Every link, and what to do about one that is broken."""
    now = reader.clock.now()
    found = reader.standing()
    thread = "answers" if found.live else "does not answer; the figures are stored ones"
    lines = [bold("Health"), f"{_tick(found.live)} Trading thread: {thread}"]
    for link in reader.links():
        lines.append(f"{_tick(link.ok)} {plain(link.name)}" + (f": {plain(link.sentence)}" if link.sentence else ""))
    with reader.store() as store:
        live = store.facts.get(LIVE_FACT) or {}
        gap = isolation_is_complete(store.facts.get(ISOLATION_FACT) or {})
        waiting = store.outbox.waiting()
        caught = store.strategies.quarantined()
    lines.append(f"{_tick(not gap)} Strategy's wall: {plain(gap or 'complete')}")
    lines.append(f"{_tick(waiting < 50)} Messages that wait: {waiting}")
    lines += [f"{_tick(False)} In quarantine: {plain(each.name)}: {plain(each.sentence)}" for each in caught[-3:]]
    lines += _loop_lines(live)
    lines.append(f"Last scan: {_ago(found.last_scan, now)}")
    return Reply(html="\n".join([*lines, _as_of(found, now)]))


def positions(reader: Reader) -> Reply:
    found, now = reader.standing(), reader.clock.now()
    if not found.positions:
        return Reply(html="\n".join(["Nothing is held.", _as_of(found, now)]))
    blocks = []
    for row in found.positions:
        gained = f"{figures.money(row['unrealized_pnl'], sign=True)} ({figures.percent(row['unrealized_pnl_pct'], sign=True)})"
        lines = [("Held", figures.quantity(row["qty"])), ("Entry", figures.price(row["avg_entry"])),
                 ("Price", figures.price(row["current_price"])), ("Result", gained),
                 ("Stop", _level(row["stop_loss"], row["current_price"])),
                 ("Target", _level(row["take_profit"], row["current_price"]))]
        blocks.append(f"{bold(row['symbol'])}\n{facts(lines)}")
    return Reply(html="\n".join([*blocks, _as_of(found, now)]))


def trades_text(trades: Sequence[TradeClosed], quote: str) -> str:
    """Closed trades, newest last, with their sum."""
    lines = [
        f"{trade.closed_at:%m-%d %H:%M} {trade.symbol:<9}{figures.money(trade.pnl.value, sign=True):>11}" for trade in trades
    ]
    total = sum(float(trade.pnl) for trade in trades)
    won = sum(float(trade.pnl) > 0 for trade in trades)
    told = f"{figures.plural(len(trades), 'trade')}, {won} with a gain, together {figures.money(total, sign=True)} {quote}"
    return f"{bold('Closed trades (UTC)')}\n{pre(lines)}\n{plain(told)} after fees"


def risk(reader: Reader) -> Reply:
    """Each limit and how much of it is used, and what halts openings."""
    found, now = reader.standing(), reader.clock.now()
    limits = reader.settings.risk
    with reader.store() as store:
        state = store.books.load(MAIN_BOOK)
    marks, ledger = (state.marks, state.ledger) if state is not None else (None, None)
    before = float(marks.day_start) if marks is not None else 0.0
    loss = max(0.0, 1 - found.value / before) if before > 0 else 0.0
    rows = [
        ("Day's loss", f"{figures.percent(loss)} of {figures.percent(limits.max_daily_loss_pct)}"),
        ("Drawdown", f"{figures.percent(found.drawdown_pct)} of {figures.percent(limits.max_drawdown_pct)}"),
        ("Positions", f"{len(found.positions)} of {limits.max_positions}"),
        ("Entries today", f"{marks.trades_today if marks else 0} of {limits.max_daily_trades}"),
        ("Losses in a row", f"{ledger.consecutive_losses if ledger else 0} of {limits.max_consecutive_losses}"),
        ("One order", f"at most {figures.percent(limits.max_trade_pct)}"),
        ("One coin", f"at most {figures.percent(limits.max_position_pct)}"),
    ]
    lines = [bold("Risk"), facts(rows), *(_halt_lines(found.halts) or ["Nothing halts openings."])]
    return Reply(html="\n".join([*lines, _as_of(found, now)]))


def strategy(reader: Reader) -> Reply:
    with reader.store() as store:
        versions = store.strategies.list()
        active = store.strategies.active() if versions else None
    if active is None:
        return Reply(html="No strategy is registered yet.")
    since = f"{active.promoted_at:%Y-%m-%d %H:%M} UTC" if active.promoted_at else "the start"
    rows = [f"{row.version} {row.state:<11} {row.parent or '-'}" for row in versions[-8:]]
    html = "\n".join([
        f"{bold(active.version)} since {plain(since)}", plain(active.hypothesis), f"hash <code>{plain(active.hash)}</code>",
        pre(["      state       from", *rows]),
    ])
    return Reply(html=html)


def costs(reader: Reader) -> Reply:
    """Fees so far and this month's, by the day they were paid (UTC), and what models cost (by the day in New York)."""
    now, quote = reader.clock.now(), reader.settings.account.quote
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    with reader.store() as store:
        state = store.books.load(MAIN_BOOK)
        fills = store.history.fills(MAIN_BOOK)
        models = _model_rows(reader, store, now)
    paid = float(state.ledger.fees_paid) if state is not None else 0.0
    lately = [fill for fill in fills if fill.filled_at >= month]
    turnover = sum(float(fill.cost) for fill in lately)
    fees = sum(float(fill.fee) for fill in lately)
    rows = [
        ("Fees so far", f"{figures.money(paid)} {quote}"),
        ("This month", f"{figures.money(fees)} {quote}"),
        ("Traded", f"{figures.money(turnover)} {quote}"),
        ("Per trade value", figures.percent(fees / turnover, 3) if turnover else figures.ABSENT),
    ]
    return Reply(html=f"{bold('Costs')}\n{facts(rows)}\n{bold('Models')}\n{facts(models)}\n{as_of(now, now)}")


def _model_rows(reader: Reader, store: Store, now: datetime) -> list[tuple[str, str]]:
    """What models cost: this month against its cap, the newest nights, and all of them."""
    ai = reader.settings.ai
    paid = store.model_calls.costs()
    spending = store.model_calls.spending(ai, local_day(now, NEW_YORK).isoformat(), now)
    left = "" if spending.tier is Tier.FULL else f", {spending.tier.value}"
    return [
        ("Provider", ai.provider),
        (spending.month, f"${spending.month_usd:.2f} of ${spending.month_usd_max:.2f}{left}"),
        *((f"Night {night[5:]}", f"${usd:.2f}, {count} calls") for night, count, usd in by_night(paid)[-NIGHTS_SHOWN:]),
        ("So far", f"${total_usd(paid):.2f}"),
    ]


def told(reader: Reader, limit: int = 5) -> list[str]:
    """The last warnings and alarms, for the answer to a question that asks how things are."""
    with reader.store() as store:
        messages = [each for each in store.outbox.newest(100) if each.severity != Severity.INFO.value]
    return [f"{each.at:%m-%d %H:%M} {each.text}" for each in messages[-limit:]]


def owner_buttons(candidate_id: str) -> tuple[Button, ...]:
    """Approve and reject; either asks for a confirmation first."""
    return (
        Button(label=f"Approve {candidate_id}", data=f"approve:{candidate_id}"),
        Button(label=f"Reject {candidate_id}", data=f"reject:{candidate_id}"),
    )


def _loop_lines(live: Mapping[str, Any]) -> list[str]:
    """What the trading loop last wrote of itself (`LIVE_FACT`): the age of its prices, and errors it survived."""
    lines = []
    ages = live.get("price_age_s") or {}
    if ages:
        symbol, age = max(ages.items(), key=lambda pair: pair[1])
        lines.append(f"Oldest price: {plain(symbol)}, {duration(float(age))} when it was last written down")
    errors = live.get("errors") or {}
    if errors.get("count"):
        newest = "; ".join(f"{name}: {text}" for name, text in (errors.get("newest") or {}).items())
        lines.append(f"{_tick(False)} {errors['count']} errors survived, the newest: {plain(newest)}")
    return lines


def _halt_lines(halts: Sequence[Halt]) -> list[str]:
    return [
        f"{bold(halt.kind.value)} since {halt.raised_at:%m-%d %H:%M} UTC: {plain(halt.sentence)}\n"
        f"→ /resume {halt.kind.value} lifts it" for halt in halts
    ]


def _as_of(found: Standing, now: datetime) -> str:
    note = "" if found.live else "\n<i>the shell did not answer at once; these are its stored figures</i>"
    return as_of(found.as_of, now) + note


def _ago(moment: datetime | None, now: datetime) -> str:
    return "none yet" if moment is None else f"{moment:%H:%M} UTC, {duration(max(0.0, (now - moment).total_seconds()))} ago"


def _level(level: Any, price: Any) -> str:
    if level is None:
        return "none"
    away = float(level) / float(price) - 1 if price else 0.0
    return f"{figures.price(float(level))} ({figures.percent(away, sign=True)})"


def _tick(ok: bool) -> str:
    return "✓" if ok else "✗"
