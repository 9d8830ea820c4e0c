"""Replaced future: what is decided on a stranger's prices must not earn on the true ones.

Cutting and poisoning cannot see a strategy that carries the future in its own text, such as a table of good dates: it
decides the same whatever the bars say. So the prices of the whole window are replaced by a market that never was, and
the positions the strategy then takes are valued at the true prices. Whoever knows only what it is shown earns nothing
there but chance; exposure is measured against the strategy's usual exposure at that time of day, so that neither a rising
market nor a rule such as "every day at nine" counts as knowledge of dates. A rule by the day of the week can.

A slow strategy may enter a market too seldom to be told anything of. It is shown more of them, up to `MARKETS_MAX`, and what
its positions earned is averaged a day: whoever knows dates takes the same ones in each, and loses nothing by the average.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shell.backtest.biases.finding import BiasVerdict, Finding, Numbers
from shell.backtest.biases.histories import stranger_from
from shell.backtest.biases.subject import Baseline, Subject, run_on
from shell.clock import to_ms
from shell.market.bars import DAY_MS, Tier
from shell.market.frames import rows_of
from shell.market.history import History
from shell.orders import Fill, Side

CHECK = "replaced_future"
SEED = 1
DAYS_MIN = 14
TRADES_MIN = 10
MARKETS_MAX = 5
# One-sided; by chance once in 1,500 runs of 14 days and once in 30,000 long ones.
KNOWN_T_MIN = 4.0
BARS_A_DAY = DAY_MS // Tier.M5.ms


def replaced(subject: Subject, baseline: Baseline) -> Finding:
    """Run on strangers' prices, value at the true ones, and ask whether that can be chance."""
    start, end = baseline.result.start, baseline.span_end
    start_ms, end_ms = to_ms(start), to_ms(end)
    days = (end_ms - start_ms) // DAY_MS
    if days < DAYS_MIN:
        sentence = f"the window has {days} days, {DAYS_MIN} are needed: use a longer one"
        return Finding(check=CHECK, verdict=BiasVerdict.UNKNOWN, sentence=sentence, evidence={"days": days})
    entries, earned = 0, list[NDArray[np.float64]]()
    while entries < TRADES_MIN and len(earned) < MARKETS_MAX:
        run = run_on(subject, stranger_from(subject.history, start_ms, SEED + len(earned)), start, end)
        entries += sum(fill.side is Side.BUY for fill in run.kept.fills)
        earned.append(known_returns(subject.history, run.kept.fills, start_ms, days))
    daily = np.mean(earned, axis=0)
    statistic = _t(daily)
    evidence: Numbers = {
        "days": days, "entries": entries, "markets": len(earned), "known_pct": float(daily.sum()), "known_t": statistic,
    }
    if not entries:
        sentence = (
            f"on the prices of {len(earned)} other markets it entered nothing, so whether it knows this one by heart cannot be "
            "told: use a longer window"
        )
        return Finding(check=CHECK, verdict=BiasVerdict.UNKNOWN, sentence=sentence, evidence=evidence)
    if entries < TRADES_MIN:
        sentence = (
            f"only {entries} entries on the prices of {len(earned)} other markets, {TRADES_MIN} are needed: use a longer window"
        )
        return Finding(check=CHECK, verdict=BiasVerdict.UNKNOWN, sentence=sentence, evidence=evidence)
    whose = "another market's prices" if len(earned) == 1 else f"the prices of {len(earned)} other markets"
    facts = (
        f"{entries} entries decided on {whose} gained {daily.sum():+.2%} at the true ones, beyond their usual exposure "
        f"(t {statistic:.1f})"
    )
    if statistic >= KNOWN_T_MIN:
        sentence = f"{facts}: the strategy knows this history by its dates, not by the bars it is shown"
        return Finding(check=CHECK, verdict=BiasVerdict.BIASED, sentence=sentence, evidence=evidence)
    return Finding(check=CHECK, verdict=BiasVerdict.CLEAN, sentence=f"{facts}, within chance", evidence=evidence)


def known_returns(history: History, fills: Sequence[Fill], start_ms: int, days: int) -> NDArray[np.float64]:
    """Per day and summed over symbols: (held - usually held at that time of day) x the true return of the bar."""
    daily = np.zeros(days)
    for symbol, frame in history.m5.items():
        held = _held([fill for fill in fills if fill.symbol == symbol], start_ms, days)
        returns = _bar_returns(frame_rows=rows_of(frame), start_ms=start_ms, days=days)
        daily += ((held - held.mean(axis=0)) * returns).sum(axis=1)
    return daily


def _held(fills: Sequence[Fill], start_ms: int, days: int) -> NDArray[np.float64]:
    """1.0 for each bar (day, time of day) at whose open a position was held, else 0.0."""
    changes = np.zeros(days * BARS_A_DAY + 1)
    for fill in fills:
        # A fill inside a bar counts from the next one on, an entry at its open from that bar.
        at = min(max(-(-(to_ms(fill.filled_at) - start_ms) // Tier.M5.ms), 0), len(changes) - 1)
        changes[at] += float(fill.qty) if fill.side is Side.BUY else -float(fill.qty)
    quantity = np.cumsum(changes[:-1])
    largest = float(np.abs(quantity).max(initial=0.0))
    # Quantities are added and taken away as floats; what is left of that is no position.
    return (quantity > 1e-9 * largest).astype(np.float64).reshape(days, BARS_A_DAY)


def _bar_returns(frame_rows: NDArray[np.float64], start_ms: int, days: int) -> NDArray[np.float64]:
    """Open to next open of each bar of the window; 0.0 where there is no bar."""
    returns = np.zeros(days * BARS_A_DAY)
    opens = frame_rows[:, 1]
    following = np.append(opens[1:], frame_rows[-1:, 4])
    at = ((frame_rows[:, 0] - start_ms) // Tier.M5.ms).astype(np.int64)
    inside = (at >= 0) & (at < len(returns))
    returns[at[inside]] = (following / opens - 1.0)[inside]
    return returns.reshape(days, BARS_A_DAY)


def _t(daily: NDArray[np.float64]) -> float:
    deviation = float(daily.std(ddof=1))
    return float(daily.mean()) / deviation * math.sqrt(len(daily)) if deviation > 0 else 0.0
