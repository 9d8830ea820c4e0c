"""The whole null test: months side by side, what was finished before taken over, and the figures of all of them."""

from __future__ import annotations

import hashlib
import json
import math
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deployments.null_twin.code import HASH_DIGITS, code_hash
from deployments.null_twin.crew import MonthCrew
from deployments.null_twin.journal import Journal
from deployments.null_twin.month import NIGHTS, PLANTED, MonthResult, Terms, month_market
from deployments.null_twin.worker import NIGHT, REFUSAL
from deployments.opening import account_overrides, settings_for
from shell.backtest.parallel import workers_for
from shell.backtest.proportion import CONFIDENCE, clopper_pearson
from shell.clock import monotonic
from shell.config import Settings
from shell.errors import DataError, UsageError
from shell.home import Home, find_project
from shell.market.folder import list_symbols, load_history
from shell.market.history import History, data_hash
from shell.market.null_market import NullKind
from shell.market.pair import parse_symbol

MONTHS_MAX = 100_000
NIGHTS_MAX = 85
# Without --symbols: enough for co-movement to matter, few enough for many months.
SYMBOLS_DEFAULT = 2
MADE_SYMBOLS = ("BTC/USD", "ETH/USD")
# Hundreds of invented months must not cost a cent, whatever the settings say.
WITHOUT_MODELS = {"ai.provider": "local"}

# Told the month, its nights that are over, and its result once there is one.
Tell = Callable[[int, int, MonthResult | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a null test is asked to do. Without `data` the markets are made from an invented one. `markets` empty: every kind
    of null market in turn. `resume`: take over what `out` holds of the same settings, data, seed and code. `cluster`: a Dask
    cluster to live them on, "" for processes of this machine."""

    months: int = 20
    seed: int = 7
    data: Path | None = None
    symbols: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    nights: int = NIGHTS
    workers: int | None = None
    cluster: str = ""
    out: Path = Path("reports/null-test.jsonl")
    resume: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Every finished month in order, and how the test went. `partial`: it was stopped before the last."""

    options: Options
    terms: Terms
    source: str
    real: bool
    months: tuple[MonthResult, ...]
    taken_over: int
    seconds: float
    workers: int
    partial: bool


def measure(options: Options, tell: Tell) -> Outcome:
    """Live through the months that are not finished yet. Ctrl-C keeps those that are.

    Raises UsageError, DataError or SettingsError before anything runs, Transient when a worker dies.
    """
    begun = monotonic()
    _check(options)
    source, symbols = _source(options)
    settings = settings_for(Home.project(), {**account_overrides(symbols), **WITHOUT_MODELS})
    terms = Terms(
        seed=options.seed, symbols=symbols, markets=options.markets or tuple(NullKind), nights=options.nights
    )
    # Each kind once, here, where a refusal is a sentence and not the end of a worker.
    for month in range(min(options.months, len(terms.markets))):
        month_market(terms, settings, source, month)
    journal = Journal(options.out, _key(terms, settings, source))
    finished = journal.finished() if options.resume else {}
    found = {month: result for month, result in finished.items() if month < options.months}
    missing = [month for month in range(options.months) if month not in found]
    taken_over, partial = len(found), False
    for result in found.values():
        tell(result.month, result.nights, result)
    workers = min(workers_for(options.workers, fast=True), max(len(missing), 1))
    try:
        if missing:
            _live_through(missing, options, terms, settings, workers, journal, found, tell)
    except KeyboardInterrupt:
        partial = True
    name = source.source if source is not None else "synthetic, another one each month"
    return Outcome(
        options=options, terms=terms, source=name, real=source is not None,
        months=tuple(found[month] for month in sorted(found)), taken_over=taken_over, seconds=monotonic() - begun,
        workers=workers, partial=partial,
    )


def figures(outcome: Outcome) -> dict[str, Any]:
    """The figures as JSON values. A rate is None before the first month; the interval is exact, at 95 %."""
    months, planted = outcome.months, outcome.terms.markets == (PLANTED,)
    on = [result.promoted_on for result in months if result.promoted_on is not None]
    rate = len(on) / len(months) if months else None
    spent: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for result in months:
        spent.update(result.seconds)
        refusals.update(result.refusals)
    return {
        "months": len(months), "months_asked": outcome.options.months, "nights": outcome.terms.nights,
        "candidates_scored": sum(result.scored for result in months), "looks": sum(result.looks for result in months),
        "promotions": len(on), "false_promotion_rate": None if planted else rate, "promotion_rate": rate,
        "interval": list(clopper_pearson(len(on), len(months))) if months else None, "confidence": CONFIDENCE,
        "promoted_on_night": on, "night_median": nights_to_promotion(months), "edge": PLANTED if planted else "none",
        "markets": _by_market(months), "refusals": dict(refusals.most_common()), "seed": outcome.options.seed,
        "symbols": list(outcome.terms.symbols), "data": {"source": outcome.source, "real": outcome.real},
        "taken_over": outcome.taken_over, "partial": outcome.partial, "workers": outcome.workers,
        "journal": str(outcome.options.out), "seconds": round(outcome.seconds, 1),
        "seconds_a_month": round(sum(spent.values()) / len(months), 2) if months else None,
        "cpu_seconds_a_month": round(sum(result.cpu_seconds for result in months) / len(months), 2) if months else None,
        "seconds_by_step": {what: round(seconds, 1) for what, seconds in spent.most_common()},
    }


def nights_to_promotion(months: Sequence[MonthResult]) -> float | None:
    """The night by which half of the months had their promotion; None when fewer than half ever had one."""
    nights = [math.inf if result.promoted_on is None else float(result.promoted_on) for result in months]
    middle = statistics.median_high(nights) if nights else math.inf
    return None if math.isinf(middle) else middle


def _check(options: Options) -> None:
    if not 1 <= options.months <= MONTHS_MAX:
        raise UsageError(f"--months {options.months} is out of range: 1 to {MONTHS_MAX:,}")
    if not 1 <= options.nights <= NIGHTS_MAX:
        raise UsageError(f"--nights {options.nights} is out of range: 1 to {NIGHTS_MAX}, which is within a quarter")
    if not 0 <= options.seed < 2**63:
        raise UsageError(f"--seed {options.seed} is out of range: a whole number from 0 up is needed")
    if PLANTED in options.markets and options.data is not None:
        raise UsageError("a planted edge is in an invented market only: leave --data out")


def _source(options: Options) -> tuple[History | None, tuple[str, ...]]:
    """The real history, None without a folder, and the symbols of the test."""
    asked = tuple(dict.fromkeys(parse_symbol(symbol) for symbol in options.symbols))
    if options.data is None:
        return None, asked or MADE_SYMBOLS
    known = list_symbols(options.data)
    if not asked:
        first = [symbol for base in ("BTC/", "ETH/") for symbol in known if symbol.startswith(base)]
        asked = tuple(dict.fromkeys([*first, *known]))[:SYMBOLS_DEFAULT]
    if not asked:
        raise DataError(f"{options.data} holds no 5m candles")
    return load_history(options.data, asked), asked


def _key(terms: Terms, settings: Settings, source: History | None) -> str:
    """Names everything a month's outcome depends on, besides its number."""
    values = {
        "terms": asdict(terms), "settings": settings.model_dump(mode="json"), "code": code_hash(find_project()),
        "data": data_hash(source) if source is not None else "",
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:HASH_DIGITS]


def _live_through(
    missing: Sequence[int], options: Options, terms: Terms, settings: Settings, workers: int, journal: Journal,
    found: dict[int, MonthResult], tell: Tell,
) -> None:
    """Live through `missing`, side by side, and keep each month in `found` and `journal` as soon as it is over."""
    with tempfile.TemporaryDirectory(prefix="null-test-") as scratch:
        values = {
            "terms": asdict(terms), "settings": settings.model_dump_json(), "scratch": scratch,
            "data": str(options.data.resolve()) if options.data is not None else "",
        }
        with _living(options.cluster, values, missing, workers) as lived:
            for month, said in lived:
                if NIGHT in said:
                    tell(month, said[NIGHT], None)
                elif REFUSAL in said:
                    raise DataError(f"month {month}: {said[REFUSAL]}")
                else:
                    found[month] = result = MonthResult.of(said["result"])
                    journal.append(result)
                    tell(month, result.nights, result)


@contextmanager
def _living(
    cluster: str, values: Mapping[str, Any], months: Sequence[int], workers: int
) -> Iterator[Iterator[tuple[int, Mapping[str, Any]]]]:
    """What is said of the months as they are lived through, here or on a cluster."""
    if not cluster:
        with MonthCrew(values, find_project(), workers) as crew:
            yield crew.live_through(months)
        return
    # Imported here: Dask takes a second.
    from deployments.cluster.connection import connected
    from deployments.cluster.months import months_on

    with connected(cluster) as connection, closing(months_on(connection, values, months)) as lived:
        yield lived


def _by_market(months: Sequence[MonthResult]) -> Mapping[str, Mapping[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for result in months:
        row = found.setdefault(result.market, {"months": 0, "promotions": 0, "candidates_scored": 0})
        row["months"] += 1
        row["promotions"] += result.promoted_on is not None
        row["candidates_scored"] += result.scored
    return found
