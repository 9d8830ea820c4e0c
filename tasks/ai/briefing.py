"""What models are shown of a night: sections labelled by who may change them, training segment only, rounded, without a date.

Never shown: anything measured on selection, in the vault or in a paper trial of a candidate, any edge of a segment, the night's
own date. A date would tell a model that has read the news what comes next.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from shell.config import RiskConfig, Settings
from shell.document.distil import QUARTERS_HEADING
from shell.document.notes import split_notes
from shell.host.port import StrategySource
from shell.market.history import History
from shell.predictions import Prediction, measured
from shell.trials.candidate import Candidate, blind
from tasks.ai.replies import METRICS
from tasks.ai.sections import Section, Writer
from tasks.client import Segment, VersionRow

CANDIDATES_SHOWN = 12
PREDICTIONS_SHOWN = 8
VERSIONS_SHOWN = 12
SENTENCE_MAX = 300
CODE_CHARS_MAX = 60_000
LIMITS_SHOWN = (
    "max_trade_pct", "default_trade_pct", "max_position_pct", "max_positions", "max_daily_loss_pct", "max_drawdown_pct"
)
DIGITS = 3
# A day, a month or a quarter in figures, with a time behind it.
_DATE = re.compile(
    r"\b\d{4}[-/.]\d{1,2}(?:[-/.]\d{1,2})?(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(?:Z|[+-]\d{2}:?\d{2})?"
    r"|\b\d{4}-?Q[1-4]\b"
)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w])")
_QUARTER_LINE = re.compile(r"^- \d{4}-Q[1-4]: .*$", re.MULTILINE)
EXACT_DIGITS = 4
_QUARTERS = re.compile(rf"^{re.escape(QUARTERS_HEADING)}$.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def truth_shown(performance: Mapping[str, object]) -> dict[str, float]:
    """What of the ground truth models are told of, and predictions are about: the figures that have an answer."""
    shown = {name: measured(performance, name) for name in (*METRICS, "exposure_pct", "days")}
    return {name: value for name, value in shown.items() if value is not None}


def ground_truth(performance: Mapping[str, object]) -> Section:
    """What the account did, from its own fills."""
    lines = [f"{name}: {rounded(value)}" for name, value in truth_shown(performance).items()]
    return Section(name="ground truth of the account so far", writer=Writer.SHELL, text="\n".join(lines))


def predictions_made(predictions: Sequence[Prediction]) -> Section:
    """The latest predictions and their grades, newest first."""
    lines = []
    for each in list(reversed(predictions))[:PREDICTIONS_SHOWN]:
        value = "" if each.value is None else f", it was {rounded(each.value)}"
        bound = f"refuted if {each.metric} {each.refuted_if.value} {rounded(each.bound)}"
        lines.append(f"{each.kind}: {_sentence(each.hypothesis)} ({bound}): {each.grade.value}{value}")
    return Section(name="earlier predictions and their grades", writer=Writer.MODELS, text="\n".join(lines), chars_max=6_000)


def market_figures(history: History, segment: Segment) -> str:
    """One line a symbol about the training segment's daily closes."""
    lines = [f"{segment.days:.0f} days"]
    for symbol, frame in history.m5.items():
        inside = frame.filter((pl.col("timestamp") >= segment.start) & (pl.col("timestamp") < segment.end))
        daily = inside.group_by_dynamic("timestamp", every="1d").agg(pl.col("close").last())["close"].to_numpy()
        hourly = inside.group_by_dynamic("timestamp", every="1h").agg(pl.col("close").last())["close"].to_numpy()
        if len(daily) < 3:
            continue
        returns = np.diff(daily) / daily[:-1]
        lines.append(
            f"{symbol}: change {_percent(daily[-1] / daily[0] - 1)}, daily deviation {_percent(returns.std())}, "
            f"days up {_percent(float((returns > 0).mean()))}, worst day {_percent(returns.min())}, "
            f"largest fall {_percent(_largest_fall(daily))}, correlation of one day with the next "
            f"{rounded(_correlation(returns))}, usual hourly move {_percent(np.abs(np.diff(hourly) / hourly[:-1]).mean())}"
        )
    return "\n".join(lines)


def market(figures: str) -> Section:
    return Section(name="market of the training segment", writer=Writer.MARKET, text=figures, chars_max=8_000)


def strategy_code(source: StrategySource, title: str = "the strategy that runs now") -> Section:
    return Section(name=f"{title}: strategy.py", writer=Writer.MODELS, text=source.code, chars_max=CODE_CHARS_MAX)


def skills_code(source: StrategySource) -> str:
    """Every skill of a source in a section of its own."""
    sections = [
        Section(name=f"skills/{name}.py", writer=Writer.MODELS, text=text, chars_max=8_000)
        for name, text in sorted(source.skills.items())
    ]
    return "\n\n".join(map(str, sections)) or str(Section(name="skills", writer=Writer.MODELS, text=""))


def document(text: str) -> Section:
    """What the author wrote, without night notes and quarters: these tell of gates, vaults and dates, and are for people."""
    body = _QUARTER_LINE.sub("", _QUARTERS.sub("", split_notes(text)[0]))
    return Section(name="strategy document", writer=Writer.MODELS, text=inexact(body), chars_max=16_000)


def index(versions: Sequence[VersionRow]) -> Section:
    lines = [
        inexact(f"{row.version} (from {row.parent or 'nothing'}, {row.state}): {_sentence(row.hypothesis)}")
        for row in versions[-VERSIONS_SHOWN:]
    ]
    return Section(name="strategy index", writer=Writer.MODELS, text="\n".join(lines), chars_max=6_000)


def objections(findings: Sequence[str]) -> Section:
    """What was wrong with an author's last file."""
    text = "\n".join(map(inexact, findings))
    return Section(name="objections", writer=Writer.REVIEWER, text=text, chars_max=8_000)


def candidates_tried(candidates: Sequence[Candidate]) -> Section:
    """What was tried before, as far as a proposer may know of it: ideas and what their code was refused for."""
    lines = []
    for each in map(blind, list(candidates)[-CANDIDATES_SHOWN:]):
        kind = each.change_class.value if each.change_class else "unclassified"
        why = _sentence("; ".join(each.reasons)) if each.stages and not each.stages[-1].passed else ""
        lines.append(f"{kind}, {each.verdict.value}: {_sentence(each.proposal.hypothesis)} {why}".rstrip())
    return Section(name="candidates tried before", writer=Writer.MODELS, text="\n".join(lines), chars_max=8_000)


def constraints(settings: Settings, trials_left: int | None) -> Section:
    """Limits and costs, which nothing a model says can move."""
    lines = [
        *limits(settings.risk),
        f"fees: maker {_percent(float(settings.paper.maker_fee_pct))}, taker {_percent(float(settings.paper.taker_fee_pct))}, "
        f"slippage {_percent(float(settings.paper.slippage_pct))}",
        f"coins: {', '.join(settings.account.symbols)}",
    ]
    if trials_left is not None:
        lines.append(f"statistical trials left this quarter: {trials_left}")
    return Section(name="constraints", writer=Writer.SHELL, text="\n".join(lines))


def limits(risk: RiskConfig) -> list[str]:
    """The limits a strategy meets, by their names in the settings."""
    return [f"{name}: {getattr(risk, name)}" for name in LIMITS_SHOWN]


def rounded(value: float) -> str:
    """Three digits that count: enough to reason with, too few to fit a curve to."""
    return f"{value:.{DIGITS}g}"


def undated(text: str) -> str:
    """`text` with every date in figures taken out: it would tell a model that has read the news what comes next."""
    return _DATE.sub("(a date)", text)


def inexact(text: str) -> str:
    """`text` without dates, and with numbers rounded as all others are. A program's own words go back to who wrote it, and it
    could put into them what it was shown of the market."""
    return _NUMBER.sub(_shorter, undated(text))


def _shorter(found: re.Match[str]) -> str:
    digits = found[0].replace(".", "").lstrip("0")
    return found[0] if len(digits) <= EXACT_DIGITS and "e" not in found[0].lower() else rounded(float(found[0]))


def _percent(value: float) -> str:
    return f"{float(value) * 100:.2g} %"


def _sentence(text: str) -> str:
    line = inexact(" ".join(text.split()))
    return line if len(line) <= SENTENCE_MAX else line[: SENTENCE_MAX - 1] + "…"


def _largest_fall(closes: np.ndarray) -> float:
    return float((1 - closes / np.maximum.accumulate(closes)).max())


def _correlation(returns: np.ndarray) -> float:
    if len(returns) < 3 or not (returns[1:].std() > 0 and returns[:-1].std() > 0):
        return 0.0
    value = float(np.corrcoef(returns[1:], returns[:-1])[0, 1])
    return 0.0 if math.isnan(value) else value
