"""The report as one HTML file: style, script and charts inside it, nothing fetched from anywhere.

Everything that comes from data passes one door (`_shown`) and jinja's escaping. A content security policy in the page
forbids every request and every script but the page's own, should text ever get past that.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from shell.report import figures, wording
from shell.report.charts import Chart, drawdown_chart, equity_chart, price_chart
from shell.report.data import CandidateRow, CheckRow, NightRow, PromotionRow, ReportData, Value
from shell.report.text import shown
from shell.truth.definitions import DEFINITIONS

TRADES_MAX = 1000
_TEMPLATES = "shell.report.templates"
_PAGES = ("report.html", "macros.html", "memory.html")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigure:
    """One of the large figures at the top; `tone` (gain, loss or empty) only adds to a sign that is written out."""

    name: str
    value: str
    detail: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """A check with its distance in words and, for numbers, where value and threshold lie on a small bar (percent)."""

    check: CheckRow
    label: str
    value: str
    threshold: str
    distance: str
    bar: float | None
    mark: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateView:
    """A candidate and where it is in the page."""

    row: CandidateRow
    anchor: str
    checks: tuple[CheckView, ...]
    failed: int
    note: str
    reason: str
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NightView:
    """A night, what it came to, and its candidates."""

    row: NightRow
    outcome: str
    kind: str
    candidates: tuple[CandidateView, ...]
    changes: tuple[PromotionRow, ...]


def render_html(data: ReportData) -> str:
    """The whole page. Same data, same bytes."""
    script = _asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    candidates = _candidates(data)
    trades = data.trades[-TRADES_MAX:]
    return _environment().get_template("report.html").render(
        data=data, style=Markup(_asset("report.css")), script=Markup(script), script_hash=digest,
        warning=wording.market_warning(data), partial=wording.partial_notice(data), verdict=wording.verdict(data),
        key_figures=_key_figures(data), metrics=_metrics(data), charts=_charts(data), trades=tuple(reversed(trades)),
        trades_left_out=len(data.trades) - len(trades), candidates=candidates, nights=_nights(data, candidates),
        nearest_miss=wording.nearest_miss(data), paper_power=wording.PAPER_POWER, fees=_fees(data),
        missing_bars=sum(gap.bars for gap in data.gaps), refused=sum(row.count for row in data.refusals),
    )


def _environment() -> Environment:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, loader=DictLoader({name: _asset(name) for name in _PAGES}),
    )
    environment.filters.update(
        money=figures.money, percent=figures.percent, price=figures.price, quantity=figures.quantity,
        moment=figures.moment, day=figures.day, figure_label=figures.label,
        count=lambda value: figures.number(value, 0),
    )
    environment.globals.update(figure=figures.figure, span=figures.span, plural=figures.plural)
    return environment


def _asset(name: str) -> str:
    return resources.files(_TEMPLATES).joinpath(name).read_text(encoding="utf-8")


def _shown(value: object) -> object:
    """The one door for text: all but what the page itself made goes through it."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _key_figures(data: ReportData) -> tuple[KeyFigure, ...]:
    change = float(data.final_value / data.starting_value) - 1 if data.starting_value else 0.0
    held, fall = data.metrics.get("buy_and_hold_return_pct"), data.metrics.get("max_drawdown_pct")
    gains = sum(trade.pnl > 0 for trade in data.trades)
    promoted = sum(not row.rollback for row in data.promotions)
    return (
        KeyFigure(
            name=f"Account value, {data.quote}", value=figures.money(data.final_value),
            detail=f"{figures.percent(change, sign=True)} from {figures.money(data.starting_value)}",
            tone=_tone(change),
        ),
        KeyFigure(
            name="Buy and hold", value=figures.percent(held, sign=True) if isinstance(held, float) else figures.ABSENT,
            detail="same coins, kept",
        ),
        KeyFigure(
            name="Deepest drawdown", value=figures.percent(abs(fall)) if isinstance(fall, float) else figures.ABSENT,
            detail="from an earlier peak",
        ),
        KeyFigure(
            name="Closed trades", value=figures.number(len(data.trades), 0),
            detail=f"{gains} with a gain" if data.trades else f"{len(data.positions)} still open",
        ),
        KeyFigure(name=f"Fees paid, {data.quote}", value=figures.money(data.fees_total), detail="included above"),
        KeyFigure(
            name="Candidates", value=figures.number(len(data.candidates), 0),
            detail=f"{promoted} promoted in {figures.plural(len(data.nights), 'night')}",
        ),
    )


def _tone(change: float) -> str:
    return "gain" if change > 0 else "loss" if change < 0 else ""


def _metrics(data: ReportData) -> tuple[tuple[str, str, str], ...]:
    """Name, value and meaning of every figure there is, known ones first in their own order."""
    names = [name for name in DEFINITIONS if name in data.metrics]
    names += [name for name in data.metrics if name not in DEFINITIONS]
    return tuple(
        (
            figures.label(name), figures.figure(name, data.metrics[name]),
            _meaning(data, name),
        )
        for name in names
    )


def _meaning(data: ReportData, name: str) -> str:
    """What a figure means and, where there is no value, why."""
    meaning = DEFINITIONS[name].meaning if name in DEFINITIONS else ""
    why = data.unanswered.get(name, "")
    return f"{meaning} Not told: {why}." if why else meaning


def _charts(data: ReportData) -> dict[str, list[Chart]]:
    account = [chart for chart in (equity_chart(data), drawdown_chart(data)) if chart]
    prices = [chart for chart in (price_chart(data, symbol) for symbol in data.symbols) if chart]
    return {"account": account, "prices": prices}


def _candidates(data: ReportData) -> tuple[CandidateView, ...]:
    """Promoted ones first, then in order of proposal; those are open, the rest folded unless there are few."""
    ordered = sorted(enumerate(data.candidates), key=lambda item: item[1].verdict != wording.PROMOTED)
    few = len(ordered) <= 2
    return tuple(
        CandidateView(
            row=row, anchor=f"candidate-{index + 1}", checks=tuple(_check(check) for check in row.checks),
            failed=sum(not check.passed for check in row.checks), note=wording.gate_note(row),
            reason=row.reasons[0] if row.reasons else "",
            open=few or row.verdict == wording.PROMOTED,
        )
        for index, row in ordered
    )


def _check(check: CheckRow) -> CheckView:
    value, threshold = _real(check.value), _real(check.threshold)
    bar = mark = None
    if value is not None and threshold is not None:
        low, high = min(0.0, value, threshold), max(0.0, value, threshold)
        reach = (high - low) * 1.15 or 1.0
        bar, mark = (round(100 * (number - low) / reach, 1) for number in (value, threshold))
    return CheckView(
        check=check, label=figures.label(check.name), value=figures.figure(check.name, check.value),
        threshold=figures.figure(check.name, check.threshold), distance=wording.distance(check), bar=bar, mark=mark,
    )


def _real(value: Value) -> float | None:
    return None if value is None or isinstance(value, str | bool) else float(value)


def _nights(data: ReportData, candidates: tuple[CandidateView, ...]) -> tuple[NightView, ...]:
    views = []
    for row in data.nights:
        of_night = tuple(view for view in candidates if view.row.candidate_id in row.candidate_ids)
        changes = wording.night_changes(data, row)
        kind = "changed" if changes else "tried" if of_night else "quiet"
        views.append(
            NightView(row=row, outcome=wording.outcome(data, row), kind=kind, candidates=of_night, changes=changes)
        )
    return tuple(views)


def _fees(data: ReportData) -> tuple[tuple[str, str, str], ...]:
    """Symbol, amount and part of the total."""
    total = data.fees_total
    return tuple(
        (symbol, figures.money(amount), figures.percent(amount / total, 1) if total else figures.ABSENT)
        for symbol, amount in data.fees_by_symbol.items()
    )
