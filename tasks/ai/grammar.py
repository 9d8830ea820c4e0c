"""A small rule grammar: genes in, readable strategy source out, the same bytes for the same genes.

entry = one to three terms, all true; exit = opposite, trailing stop or time; size = a fixed fraction. One-hour bars,
one look an hour, a wide stop: a rule that trades rarely keeps what fees would take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import wrap

from shell.backtest.parameters import Number, Parameter, spelled
from shell.host.port import StrategySource
from tasks.ai.genes import Choice, Gene, Genes
from tasks.ai.template import TEMPLATE

NONE = "none"
ORIGIN = "strategy.py"
SIZE_MIN, SIZE_STEP = 0.02, 0.01
LINE_WIDTH = 110
CODE_WIDTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One condition, of an entry or an exit: the indicators it needs, its numbers, its code and its words."""

    indicators: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    code: str
    words: str


def _parameter(name: str, low: Number, high: Number, step: Number) -> Parameter:
    return Parameter(name=name, low=low, high=high, step=step, value=low)


FAST = _parameter("fast", 4, 28, 2)
SLOW = _parameter("slow", 30, 160, 10)
STOP = _parameter("stop_ranges", 3.0, 10.0, 0.5)

TERMS: Mapping[str, Clause] = {
    "trend": Clause(
        indicators=("ema",), parameters=(FAST, SLOW),
        code='last(ema(data, "1h", VALUE["fast"])) > last(ema(data, "1h", VALUE["slow"]))',
        words="the fast average is above the slow one",
    ),
    "breakout": Clause(
        indicators=("highest",), parameters=(_parameter("channel", 12, 96, 6),),
        code='data.current_price > before(highest(data, "1h", VALUE["channel"]))',
        words="the price is above the highest price of its channel",
    ),
    "rsi": Clause(
        indicators=("rsi",), parameters=(_parameter("rsi_period", 8, 28, 2), _parameter("rsi_below", 40, 80, 5)),
        code='last(rsi(data, "1h", VALUE["rsi_period"])) < VALUE["rsi_below"]',
        words="the relative strength index is not overbought",
    ),
    "band": Clause(
        indicators=("atr", "ema"), parameters=(SLOW, _parameter("band_ranges", 0.0, 3.0, 0.25)),
        code=(
            'data.current_price > last(ema(data, "1h", VALUE["slow"]))\n            '
            '+ VALUE["band_ranges"] * last(atr(data, "1h", RANGE_BARS))'
        ),
        words="the price is some average ranges above the slow average",
    ),
    "momentum": Clause(
        indicators=("rate_of_change",),
        parameters=(_parameter("change_bars", 6, 72, 6), _parameter("change_above", 0.0, 0.05, 0.005)),
        code='last(rate_of_change(data, "1h", VALUE["change_bars"])) > VALUE["change_above"]',
        words="the price has risen enough over some hours",
    ),
    "volume": Clause(
        indicators=("rolling_deviation", "rolling_mean"), parameters=(_parameter("volume_above", -0.5, 1.5, 0.25),),
        code="volume_score(data) > VALUE[\"volume_above\"]",
        words="the last hour's volume stands out",
    ),
}


EXITS: Mapping[str, Clause] = {
    "opposite": Clause(
        indicators=("ema",), parameters=(FAST, SLOW),
        code='last(ema(data, "1h", VALUE["fast"])) < last(ema(data, "1h", VALUE["slow"]))',
        words="the fast average falls below the slow one",
    ),
    "trail": Clause(
        indicators=("atr",), parameters=(_parameter("trail_ranges", 2.0, 8.0, 0.5),),
        code=(
            'data.current_price < self._peak.get(data.symbol, 0.0)\n            '
            '- VALUE["trail_ranges"] * last(atr(data, "1h", RANGE_BARS))'
        ),
        words="the price falls some average ranges below its highest since entry",
    ),
    "time": Clause(
        indicators=(), parameters=(_parameter("hours_held", 24, 168, 12),),
        code='hour - self._entered.get(data.symbol, hour) >= VALUE["hours_held"]',
        words="it has been held for some hours",
    ),
}

ORDERS = ("market", "limit")
DISCOUNT = _parameter("discount_pct", 0.0, 0.004, 0.0005)


def structure() -> tuple[Choice, ...]:
    """The genes that decide which rule it is; the numbers come after, because they depend on these."""
    names = tuple(TERMS)
    return (
        Choice(name="term_1", options=names),
        Choice(name="term_2", options=(NONE, *names)),
        Choice(name="term_3", options=(NONE, *names)),
        Choice(name="exit", options=tuple(EXITS)),
        Choice(name="order", options=ORDERS),
    )


def numbers(chosen: Genes, max_trade_pct: float) -> tuple[Parameter, ...]:
    """The numeric genes that the chosen structure uses, each once, in a fixed order."""
    used = [parameter for name in term_names(chosen) for parameter in TERMS[name].parameters]
    used += EXITS[str(chosen["exit"])].parameters
    used.append(STOP)
    if chosen["order"] == "limit":
        used.append(DISCOUNT)
    used.append(_size(max_trade_pct))
    return tuple({parameter.name: parameter for parameter in used}.values())


def every_gene(max_trade_pct: float) -> Mapping[str, Gene]:
    """Every gene there is, by name."""
    rules = (*TERMS.values(), *EXITS.values())
    parameters = [parameter for rule in rules for parameter in rule.parameters]
    genes: list[Gene] = [*structure(), *parameters, STOP, DISCOUNT, _size(max_trade_pct)]
    return {gene.name: gene for gene in genes}


def textbook(max_trade_pct: float) -> tuple[Genes, ...]:
    """Well-known rules to begin with, before chance has its turn: a crossing of averages, a channel breakout (Donchian),
    time-series momentum, a band around an average (Keltner). Round numbers, fitted to nothing."""
    rules: tuple[dict[str, Number | str], ...] = (
        {"term_1": "trend", "exit": "opposite", "order": "market", "fast": 8, "slow": 40},
        {"term_1": "breakout", "exit": "trail", "order": "market", "channel": 48, "trail_ranges": 4.0},
        {"term_1": "momentum", "exit": "opposite", "order": "market", "change_bars": 24, "change_above": 0.01,
         "fast": 12, "slow": 50},
        {"term_1": "band", "exit": "opposite", "order": "limit", "band_ranges": 1.0, "fast": 20, "slow": 100,
         "discount_pct": 0.001},
    )
    common: dict[str, Number | str] = {"term_2": NONE, "term_3": NONE, "stop_ranges": 6.0}
    common["size_pct"] = _size(max_trade_pct).high
    return tuple({**common, **rule} for rule in rules)


def term_names(chosen: Genes) -> tuple[str, ...]:
    """The terms of a rule, each once, in the grammar's order: how often or where a term was drawn does not matter."""
    drawn = {str(chosen[f"term_{number}"]) for number in (1, 2, 3)}
    return tuple(name for name in TERMS if name in drawn)


def emit(genes: Genes, max_trade_pct: float) -> StrategySource:
    """The source that `genes` describe."""
    terms = [TERMS[name] for name in term_names(genes)]
    leave = EXITS[str(genes["exit"])]
    limit = genes["order"] == "limit"
    declared = "\n".join(
        _declaration(parameter, genes[parameter.name]) for parameter in numbers(genes, max_trade_pct)
    )
    indicators = {name for rule in (*terms, leave) for name in rule.indicators} | {"atr", "last"}
    code = TEMPLATE.substitute(
        hypothesis="\n".join(wrap(f"Hypothesis: {hypothesis(genes)}.", LINE_WIDTH)),
        order_words="by a limit order" if limit else "at the market",
        indicators=", ".join(sorted(indicators)),
        parameters=declared,
        math="import math\n" if {"highest", "rolling_mean"} & indicators else "",
        before=_BEFORE if "highest" in indicators else "",
        volume_score=_VOLUME_SCORE if "rolling_mean" in indicators else "",
        entry=_joined(terms),
        leave=_joined([leave]),
        order_type="LIMIT" if limit else "MARKET",
        price='data.current_price * (1 - VALUE["discount_pct"])' if limit else "data.current_price",
        limit_price="limit_price=price, " if limit else "",
    )
    return StrategySource(code=code, origin=ORIGIN)


def hypothesis(genes: Genes) -> str:
    """One sentence that says what the rule bets on."""
    entry = " and ".join(TERMS[name].words for name in term_names(genes))
    leave = EXITS[str(genes["exit"])].words
    return f"when {entry}, the move goes on for longer than fees cost; it is over when {leave}"


def _joined(clauses: list[Clause]) -> str:
    if len(clauses) == 1 and len(clauses[0].code) <= CODE_WIDTH:
        return clauses[0].code
    lines = "\n            and ".join(clause.code for clause in clauses)
    return f"(\n            {lines}\n        )"


def _declaration(parameter: Parameter, value: Number | str) -> str:
    if isinstance(value, str):
        raise TypeError(f"{parameter.name} takes a number, not {value!r}")
    spec = (parameter.low, parameter.high, parameter.step, value)
    return f'    "{parameter.name}": ({", ".join(spelled(number, parameter.whole) for number in spec)}),'


def _size(max_trade_pct: float) -> Parameter:
    return _parameter("size_pct", min(SIZE_MIN, max_trade_pct), max_trade_pct, SIZE_STEP)


_BEFORE = '''

def before(series: Any) -> float:
    """The value one bar before the newest; NaN while there are too few bars."""
    return float(series[-2]) if len(series) > 1 else math.nan
'''

_VOLUME_SCORE = '''

def volume_score(data: SymbolData) -> float:
    """The last hour's volume in deviations above its mean; NaN while there are too few bars or they are all alike."""
    mean = last(rolling_mean(data, "1h", RANGE_BARS, "volume"))
    deviation = last(rolling_deviation(data, "1h", RANGE_BARS, "volume"))
    newest = last(rolling_mean(data, "1h", 1, "volume"))
    return (newest - mean) / deviation if deviation > 0 else math.nan
'''
