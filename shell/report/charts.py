"""Charts as positions in percent, which the page draws as inline SVG: seen without a script, sharp on paper and phone.

A chart is a model of plain numbers and texts, so everything a strategy or a person wrote is escaped in one place, the
template. Kinds of lines and markers differ by dash and shape as well as by colour; a sentence says what a chart shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shell.report import figures, ticks
from shell.report.data import FillRow, PromotionRow, ReportData, Series, TradeRow
from shell.report.series import downsample, drawdown, finite
from shell.report.ticks import Tick

MARKERS_MAX = 600
_CANVAS = 1000  # units of a plot's coordinate system, which the page stretches to whatever size there is
_ALONE = timedelta(hours=1)  # half the width of a chart that has only one moment
_ROOM_AS_PART = 0.04  # room above and below the drawn values, as part of their range


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A drawn series: `kind` is its style, `path` SVG path data, `dot` its place when it has one point only."""

    name: str
    kind: str
    path: str
    area: str = ""
    dot: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A fill: `kind` (entry, exit, stop, target) gives shape and colour."""

    kind: str
    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One trade from entry to exit: `kind` is gain or loss."""

    kind: str
    x1: float
    y1: float
    x2: float
    y2: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time: a hole in the data, or a halt."""

    kind: str
    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Legend:
    """An entry of the legend: `kind` is that of the line, marker, segment or span it explains."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart. `summary` is its text alternative, `readout` what the page's script shows under the pointer."""

    name: str
    summary: str
    height: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    legend: tuple[Legend, ...]
    readout: dict[str, Any]
    flags: tuple[Tick, ...] = ()
    spans: tuple[Span, ...] = ()
    segments: tuple[Segment, ...] = ()
    markers: tuple[Marker, ...] = ()
    note: str = ""


class Frame:
    """Maps times and values to percent of the plot, origin top left."""

    def __init__(self, start: datetime, end: datetime, values: Sequence[float], *, top: float | None = None) -> None:
        self.start, self.end = (start, end) if start < end else (start - _ALONE, end + _ALONE)
        low, high = min(values), max(values)
        flat = high - low <= abs(high) * 1e-9
        room = (abs(high) * 0.005 or 1.0) if flat else (high - low) * _ROOM_AS_PART
        self.low, self.high = low - room, high + room if top is None else top

    def x(self, at: datetime) -> float:
        return _rounded(100 * ((at - self.start) / (self.end - self.start)))

    def y(self, value: float) -> float:
        return _rounded(100 * (self.high - value) / (self.high - self.low))

    def x_ticks(self) -> tuple[Tick, ...]:
        return tuple(Tick(_rounded(tick.position), tick.label) for tick in ticks.times(self.start, self.end))

    def y_ticks(self, text: Callable[[float, int], str], *, count: int = 7, digits_less: int = 0) -> tuple[Tick, ...]:
        """At most about `count` ticks; `digits_less` when `text` shifts the decimal point, as percent does."""
        digits = max(0, ticks.step_digits(ticks.value_step(self.low, self.high, count)) - digits_less)
        return tuple(Tick(self.y(value), text(value, digits)) for value in ticks.values(self.low, self.high, count))

    def path(self, series: Series, broken_at: Sequence[datetime] = ()) -> str:
        """SVG path data; the line is broken where one of `broken_at` lies between two points."""
        pieces: list[str] = []
        breaks = sorted(broken_at)
        following = 0
        for index, (at, value) in enumerate(series):
            jumped = False
            while following < len(breaks) and breaks[following] <= at:
                following, jumped = following + 1, True
            command = "M" if index == 0 or jumped else "L"
            pieces.append(f"{command}{self.x(at) * _CANVAS / 100:.1f} {self.y(value) * _CANVAS / 100:.1f}")
        return "".join(pieces)

    def area(self, series: Series, base: float) -> str:
        """The path between the series and the value `base`."""
        if len(series) < 2:
            return ""
        floor = f"{self.y(base) * _CANVAS / 100:.1f}"
        first, last = (self.x(series[index][0]) * _CANVAS / 100 for index in (0, -1))
        return f"{self.path(series)}L{last:.1f} {floor}L{first:.1f} {floor}Z"


def equity_chart(data: ReportData) -> Chart | None:
    """The account's value against buy-and-hold, with promotions as flags and halts as spans; None without a point."""
    equity, held = downsample(finite(data.equity)), downsample(finite(data.buy_and_hold))
    if not equity:
        return None
    frame = _frame((equity, held), data)
    lines = [_line(frame, "Account", "equity", equity)]
    legend = [Legend(kind="equity", text="Account value")]
    if held:
        lines.insert(0, _line(frame, "Buy and hold", "hold", held))
        legend.append(Legend(kind="hold", text="Buy and hold"))
    flags = _flags(frame, data.promotions)
    spans = tuple(
        _span(frame, "halt", halt.raised_at, halt.lifted_at or frame.end, f"Halted: {halt.kind}") for halt in data.halts
    )
    if flags:
        legend.append(Legend(kind="flag", text="Version changed"))
    if spans:
        legend.append(Legend(kind="halt", text="Openings halted"))
    return Chart(
        name=f"Account value, {data.quote}", summary=_equity_summary(data, equity, held), height=300,
        x_ticks=frame.x_ticks(), y_ticks=frame.y_ticks(figures.number), lines=tuple(lines), legend=tuple(legend),
        readout=_readout(frame, "money", (("Account", equity), ("Buy and hold", held))), flags=flags, spans=spans,
    )


def drawdown_chart(data: ReportData) -> Chart | None:
    """The fall from the highest value so far, measured on every mark before any thinning; None without a point."""
    falls = drawdown(finite(data.equity))
    if not falls:
        return None
    drawn = downsample(falls)
    at, deepest = min(falls, key=lambda point: point[1])
    frame = _frame((drawn, ((drawn[0][0], -0.005),)), data, top=0.0)
    line = _line(frame, "Drawdown", "drawdown", drawn, base=0.0)
    when = f", on {figures.moment(at)} UTC" if deepest < 0 else ""
    return Chart(
        name="Drawdown from the highest value so far", height=140,
        summary=f"The deepest fall from an earlier peak was {figures.percent(-deepest)}{when}.",
        x_ticks=frame.x_ticks(), y_ticks=frame.y_ticks(figures.percent, count=4, digits_less=2),
        lines=(line,), legend=(),
        readout=_readout(frame, "percent", (("Drawdown", drawn),)),
    )


def price_chart(data: ReportData, symbol: str) -> Chart | None:
    """One symbol's price with its fills, its trades from entry to exit and the holes in its data. None: no prices."""
    prices = downsample(finite(data.prices.get(symbol, ())))
    if not prices:
        return None
    fills = [fill for fill in data.fills if fill.symbol == symbol]
    trades = [trade for trade in data.trades if trade.symbol == symbol]
    gaps = [gap for gap in data.gaps if gap.symbol == symbol]
    traded = tuple((fill.at, float(fill.price)) for fill in fills)
    frame = _frame((prices, traded), data)
    shown = fills[-MARKERS_MAX:]
    line = _line(frame, "Price", "price", prices, broken_at=[gap.begins for gap in gaps])
    markers = tuple(_marker(frame, fill) for fill in shown)
    segments = tuple(_segment(frame, trade) for trade in trades[-MARKERS_MAX:])
    kinds = {marker.kind for marker in markers}
    legend = [Legend(kind="price", text="Price")]
    legend += [Legend(kind=kind, text=text) for kind, text in _MARKER_NAMES.items() if kind in kinds]
    outcomes = {segment.kind for segment in segments}
    legend += [Legend(kind=kind, text=text) for kind, text in _SEGMENT_NAMES.items() if kind in outcomes]
    spans = tuple(
        _span(frame, "gap", gap.begins, gap.ends, f"No data: {figures.plural(gap.bars, 'bar')} missing") for gap in gaps
    )
    if spans:
        legend.append(Legend(kind="gap", text="No data"))
    left_out = len(fills) - len(shown)
    return Chart(
        name=symbol, summary=_price_summary(symbol, prices, fills, trades), height=260,
        x_ticks=frame.x_ticks(), y_ticks=frame.y_ticks(figures.number), lines=(line,), legend=tuple(legend),
        readout=_readout(frame, "price", (("Price", prices),)), spans=spans, segments=segments, markers=markers,
        note=f"The oldest {figures.plural(left_out, 'fill')} of this symbol are not drawn." if left_out else "",
    )


_MARKER_NAMES = {"entry": "Entry", "exit": "Exit", "stop": "Stop", "target": "Target"}
_SEGMENT_NAMES = {"gain": "Trade with a gain", "loss": "Trade with a loss"}


def _rounded(position: float) -> float:
    return round(position, 3) + 0.0  # the sum turns -0.0 into 0.0


def _frame(drawn: Sequence[Series], data: ReportData, *, top: float | None = None) -> Frame:
    points = [point for series in drawn for point in series]
    moments = [at for at, _ in points]
    begin, finish = min(*moments, data.start), max(*moments, data.end)
    return Frame(begin, finish, [value for _, value in points], top=top)


def _line(
    frame: Frame, name: str, kind: str, series: Series, *, broken_at: Sequence[datetime] = (), base: float | None = None
) -> Line:
    at, value = series[0]
    dot = (frame.x(at), frame.y(value)) if len(series) == 1 else None
    area = frame.area(series, base) if base is not None else ""
    return Line(name=name, kind=kind, path=frame.path(series, broken_at), area=area, dot=dot)


def _marker(frame: Frame, fill: FillRow) -> Marker:
    kind = fill.purpose if fill.purpose in _MARKER_NAMES else "entry" if fill.side == "buy" else "exit"
    text = (
        f"{_MARKER_NAMES[kind]}: {fill.side} {figures.quantity(fill.qty)} at {figures.price(fill.price)}, "
        f"{figures.moment(fill.at)} UTC"
    )
    return Marker(kind=kind, x=frame.x(fill.at), y=frame.y(float(fill.price)), text=text)


def _segment(frame: Frame, trade: TradeRow) -> Segment:
    return Segment(
        kind="gain" if trade.pnl > 0 else "loss",
        x1=frame.x(trade.opened), y1=frame.y(float(trade.entry)),
        x2=frame.x(trade.closed), y2=frame.y(float(trade.exit)),
        text=f"{figures.money(trade.pnl, sign=True)} ({figures.percent(trade.pnl_pct, sign=True)})",
    )


def _span(frame: Frame, kind: str, begins: datetime, ends: datetime, text: str) -> Span:
    left, right = (min(100.0, max(0.0, frame.x(at))) for at in (begins, ends))
    detail = f"{text}, {figures.moment(begins)} to {figures.moment(ends)} UTC"
    return Span(kind=kind, x=left, width=_rounded(right - left), text=detail)


def _flags(frame: Frame, promotions: Sequence[PromotionRow]) -> tuple[Tick, ...]:
    return tuple(Tick(frame.x(row.at), row.version) for row in promotions if frame.start <= row.at <= frame.end)


def _readout(frame: Frame, kind: str, named: Sequence[tuple[str, Series]]) -> dict[str, Any]:
    """Times in seconds from the chart's start, so that 1,500 of them stay small."""
    digits = {"money": 2, "percent": 5}.get(kind)
    series = [
        {
            "name": name,
            "t": [round((at - frame.start).total_seconds()) for at, _ in points],
            "v": [round(value, digits) if digits is not None else float(f"{value:.7g}") for _, value in points],
        }
        for name, points in named if points
    ]
    return {
        "kind": kind, "start": round(frame.start.timestamp()), "span": round((frame.end - frame.start).total_seconds()),
        "low": frame.low, "high": frame.high, "series": series,
    }


def _equity_summary(data: ReportData, equity: Series, held: Series) -> str:
    lowest, highest = min(equity, key=lambda point: point[1]), max(equity, key=lambda point: point[1])
    if lowest[1] == highest[1]:
        text = f"The account's value stayed at {figures.money(lowest[1])} {data.quote}."
    else:
        text = (
            f"The account's value went from {figures.money(equity[0][1])} to {figures.money(equity[-1][1])} "
            f"{data.quote}, between {figures.money(lowest[1])} ({figures.day(lowest[0])}) and "
            f"{figures.money(highest[1])} ({figures.day(highest[0])})."
        )
    if held:
        text += f" Buying and holding ended at {figures.money(held[-1][1])} {data.quote}."
    return text


def _price_summary(symbol: str, prices: Series, fills: Sequence[FillRow], trades: Sequence[TradeRow]) -> str:
    lowest, highest = min(value for _, value in prices), max(value for _, value in prices)
    gains = sum(trade.pnl > 0 for trade in trades)
    return (
        f"{symbol} went from {figures.price(prices[0][1])} to {figures.price(prices[-1][1])}, between "
        f"{figures.price(lowest)} and {figures.price(highest)}; {figures.plural(len(fills), 'fill')}, "
        f"{figures.plural(len(trades), 'closed trade')}" + (f", {gains} with a gain." if trades else ".")
    )
