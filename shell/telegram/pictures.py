"""Charts as pictures: value and drawdown, and one trade on the price. Readable on a phone, without colour too.

Drawn with matplotlib's objects alone, never its global state, so that any thread may. It is loaded at the first picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any

from shell.backtest.metrics import compute_metrics
from shell.backtest.result import EquityCurve
from shell.clock import to_ms
from shell.main_book import MAIN_BOOK
from shell.market.bars import Tier
from shell.portfolio.ledger import TradeClosed
from shell.report import figures
from shell.report.data import Series
from shell.report.series import downsample, drawdown
from shell.store.candles import CandleStore
from shell.store.store import Store
from shell.telegram.answers import TRADES_MAX, TRADES_SHOWN, trades_text
from shell.telegram.books import Reader
from shell.telegram.text import Picture, Reply, as_of, bold, facts, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS_MAX = 600
INCHES, DOTS_PER_INCH = (7.2, 4.8), 130
INK, LINE, LOSS, GAIN = "#222222", "#1f5a99", "#b3261e", "#1b7f4b"
AROUND_TRADE_MIN = timedelta(hours=3)


def performance(reader: Reader) -> Reply:
    """Results so far with both curves."""
    import numpy as np

    now, quote = reader.clock.now(), reader.settings.account.quote
    with reader.store() as store:
        marks = store.history.equity(MAIN_BOOK)
        trades = store.history.trades(MAIN_BOOK)
        state = store.books.load(MAIN_BOOK)
    if not marks or state is None:
        return Reply(html="Nothing has been measured yet: the first scan makes the first mark.")
    curve = EquityCurve(
        times_ms=np.array([to_ms(at) for at, _ in marks], dtype=np.int64),
        values=np.array([float(value) for _, value in marks], dtype=np.float64),
    )
    measured = compute_metrics(
        curve, trades, fees_paid=float(state.ledger.fees_paid), starting_cash=float(state.ledger.capital),
        buy_and_hold_return_pct=0.0, open_since=[each.opened_at for each in state.ledger.positions.values()],
    )
    rows = [
        ("Return", figures.percent(measured.total_return_pct, sign=True)),
        ("Deepest fall", figures.percent(measured.max_drawdown_pct)),
        ("Sharpe", figures.number(measured.sharpe)),
        ("Trades", str(measured.trades)),
        ("Won", figures.percent(measured.win_rate, 0) if measured.trades else figures.ABSENT),
        ("Fees", f"{figures.money(measured.fees)} {quote}"),
        ("Days", str(measured.days)),
    ]
    early = "\nDays are few: these figures say little yet." if measured.days < 90 else ""
    series = tuple((at, float(value)) for at, value in marks)
    html = f"{bold('Performance')}\n{facts(rows)}{plain(early) and chr(10) + plain(early)}\n{as_of(marks[-1][0], now)}"
    return Reply(html=html, pictures=(equity_picture(series, quote),))


def trades(reader: Reader, argument: str) -> Reply:
    """The last closed trades, the newest of them drawn."""
    count = min(int(argument), TRADES_MAX) if argument.isdigit() and int(argument) > 0 else TRADES_SHOWN
    with reader.store() as store:
        closed = store.history.trades(MAIN_BOOK)[-count:]
        prices = trade_prices(store, closed[-1]) if closed else ()
    if not closed:
        return Reply(html="No trade has been closed yet. /positions shows what is held.")
    pictures = (trade_picture(closed[-1], prices),) if len(prices) > 1 else ()
    return Reply(html=trades_text(closed, reader.settings.account.quote), pictures=pictures)


def trade_prices(store: Store, trade: TradeClosed) -> Series:
    """Closes from before the entry to after the exit, in whichever tier still holds them."""
    length = trade.closed_at - trade.opened_at
    around = max(length / 3, AROUND_TRADE_MIN)
    candles = CandleStore(store)
    for tier in (Tier.M5, Tier.H1, Tier.D1):
        frame = candles.between(trade.symbol, tier, trade.opened_at - around, trade.closed_at + around)
        if frame.height > 1:
            closed = timedelta(milliseconds=tier.ms)
            return tuple((at + closed, float(close)) for at, close in frame.select("timestamp", "close").iter_rows())
    return ()


def equity_picture(series: Series, quote: str) -> Picture:
    """Value above, fall from the highest value below, both on one axis of time."""
    figure, (above, below) = _canvas(2, (3, 1))
    drawn, falls = downsample(series, POINTS_MAX), downsample(drawdown(series), POINTS_MAX)
    above.plot([at for at, _ in drawn], [value for _, value in drawn], color=LINE, linewidth=1.6)
    above.set_title(f"Value, {quote}", loc="left", color=INK, fontsize=12)
    percents = [fall * 100 for _, fall in falls]
    below.fill_between([at for at, _ in falls], percents, 0, color=LOSS, alpha=0.25, linewidth=0)
    below.plot([at for at, _ in falls], percents, color=LOSS, linewidth=1.2)
    below.set_title("Fall from the highest value, %", loc="left", color=INK, fontsize=12)
    last, deepest = series[-1][1], min((fall for _, fall in falls), default=0.0)
    caption = f"Value {figures.money(last)} {quote}; deepest fall {figures.percent(-deepest)}"
    return Picture(png=_png(figure), caption=caption)


def trade_picture(trade: TradeClosed, prices: Series) -> Picture:
    """One trade on its price: entry a triangle up, exit a triangle down, a line between them."""
    figure, (axes,) = _canvas(1, (1,))
    axes.plot([at for at, _ in prices], [value for _, value in prices], color=INK, linewidth=1.1, alpha=0.8)
    entry, leave = float(trade.entry_price), float(trade.exit_price)
    color = GAIN if trade.pnl.value > Decimal(0) else LOSS
    axes.plot([trade.opened_at, trade.closed_at], [entry, leave], color=color, linewidth=1.6, linestyle="--")
    axes.plot([trade.opened_at], [entry], marker="^", markersize=11, color=color)
    axes.plot([trade.closed_at], [leave], marker="v", markersize=11, color=color)
    result = f"{figures.money(trade.pnl.value, sign=True)} ({figures.percent(trade.pnl_pct, sign=True)})"
    axes.set_title(f"{trade.symbol}: {result}", loc="left", color=INK, fontsize=12)
    caption = (
        f"{trade.symbol}: in at {figures.price(entry)} on {_when(trade.opened_at)}, out at {figures.price(leave)} on "
        f"{_when(trade.closed_at)} UTC, {result} after fees"
    )
    return Picture(png=_png(figure), caption=caption)


def _canvas(rows: int, heights: Sequence[int]) -> tuple[Figure, Sequence[Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=list(heights))
    every = [row[0] for row in grid]
    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    for axes in every:
        axes.grid(visible=True, color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=11, colors=INK)
        axes.spines[["top", "right"]].set_visible(False)
    every[-1].xaxis.set_major_locator(locator)
    every[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    return figure, every


def _png(figure: Figure) -> bytes:
    written = BytesIO()
    figure.savefig(written, format="png")
    return written.getvalue()


def _when(moment: datetime) -> str:
    return f"{moment:%m-%d %H:%M}"
