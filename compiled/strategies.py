"""The strategies of the proof: between them everything a strategy may ask for, and much that it may not."""

from __future__ import annotations

import textwrap

from shell.host.port import StrategySource

_REST = """

    def on_fill(self, symbol, action, qty, price, intent):
        self.heard += 1

    def on_position_closed(self, symbol, pnl, pnl_pct):
        self.heard += 100

    def get_state(self):
        return {"heard": self.heard}

    def load_state(self, state):
        self.heard = state["heard"]
"""


def _strategy(interval: int, body: str, *, top: str = "", skills: dict[str, str] | None = None) -> StrategySource:
    """A strategy whose `analyze` is `body`, in which `draw` is a generator seeded by the moment."""
    code = (
        "import random\n\nfrom shell.contract import Action, Intent, OrderType, Signal\n" + textwrap.dedent(top)
        + f"\n\nclass Strategy:\n    scan_interval_minutes = {interval}\n\n"
        "    def initialize(self, risk_limits, symbols):\n        self.symbols, self.heard, self.scans = symbols, 0, 0\n\n"
        "    def analyze(self, markets, portfolio, timestamp):\n        self.scans += 1\n"
        "        draw = random.Random(timestamp.isoformat())\n"
        "        held = {position.symbol: position for position in portfolio.positions}\n        signals = []\n"
        + textwrap.indent(textwrap.dedent(body).strip(), " " * 8) + "\n        return signals\n" + _REST.lstrip("\n")
    )
    return StrategySource(code=code, skills=skills or {}, origin="proof.py")


# Every action and order type at drawn moments, sizes from a skill that counts in a module global; it raises now and then.
_GAMBLE = """
for symbol, data in markets.items():
    chance, price = draw.random(), data.current_price
    if chance > {busy}:
        continue
    if symbol not in held:
        limit = price * draw.uniform(0.99, 0.9999) if draw.random() < 0.4 else None
        base = limit or price
        signals.append(Signal(
            symbol, Action.BUY, lot(draw), OrderType.LIMIT if limit else OrderType.MARKET, limit,
            base * draw.uniform(0.97, 0.999) if draw.random() < 0.7 else None,
            price * draw.uniform(1.002, 1.03) if draw.random() < 0.7 else None,
            draw.choice(list(Intent)), draw.random(), "as drawn", "t" + str(self.scans),
        ))
    else:
        kind = draw.choice([Action.CLOSE, Action.SELL, Action.MODIFY])
        stop = price * draw.uniform(0.97, 0.999) if kind is Action.MODIFY else None
        size = draw.choice([0.0, 0.01]) if kind is Action.SELL else 0.0
        signals.append(Signal(symbol, kind, size, stop_loss=stop, tag=f"{{portfolio.total_value:.6f}} {{self.heard}}"))
    if chance < {raises}:
        raise ValueError(f"planted at {{timestamp}}, scan {{self.scans}}")
"""
_LOT = """
asked = []


def lot(draw):
    asked.append(draw)
    return draw.uniform(0.0, 0.3) + 0.01 * (len(asked) % 5)
"""


def gambler(interval: int, busy: float, raises: float = 0.0) -> StrategySource:
    """Buys at market and by limit, with and without stop and target; closes, sells a part, moves stops."""
    return _strategy(
        interval, _GAMBLE.format(busy=busy, raises=raises), top="from strategy.skills.sizes import lot\n",
        skills={"sizes": _LOT},
    )


# What the risk module has a refusal for, in turn; each signal is well formed.
REFUSED = _strategy(5, """
names = sorted(markets)
symbol, other = names[self.scans % len(names)], names[(self.scans + 1) % len(names)]
price = markets[symbol].current_price
turn = self.scans % 13
if turn == 0:
    signals = [Signal(symbol, Action.BUY, 0.05, stop_loss=price * 1.01)]
elif turn == 1:
    signals = [Signal(symbol, Action.BUY, 0.05, take_profit=price * 0.99)]
elif turn == 2:
    signals = [Signal(symbol, Action.BUY, 0.05, OrderType.LIMIT, limit) for limit in (price * 0.5, None)]
elif turn == 3:
    signals = [Signal(symbol, Action.BUY, 0.0000001), Signal(symbol, Action.BUY, 1.0)]
elif turn == 4:
    signals = [Signal(symbol, Action.BUY, 0.02), Signal(symbol, Action.BUY, 0.02)]
elif turn == 5:
    signals = [Signal(each, Action.BUY, 0.9) for each in self.symbols] * 3
elif turn == 6:
    signals = [Signal(each, Action.MODIFY) for each in self.symbols]
elif turn == 7:
    signals = [Signal(symbol, Action.CLOSE), Signal(symbol, Action.CLOSE), Signal(symbol, Action.SELL, 0.5)]
elif turn == 8:
    signals = [Signal(other, Action.SELL, 0.01), Signal(other, Action.MODIFY, stop_loss=price * 2)]
elif turn == 9:
    signals = [Signal(each, Action.BUY, 0.03, OrderType.LIMIT, markets[each].current_price * 0.999) for each in markets]
elif turn == 10:
    signals = [Signal(symbol, Action.BUY, 0.3, stop_loss=price * 0.9, take_profit=price * 1.1)] * 20
elif turn == 11:
    signals = [Signal(symbol, Action.SELL, 0.0000001), Signal(symbol, Action.MODIFY, take_profit=price * 0.5)]
else:
    signals = [Signal(each, Action.CLOSE) for each in held]
""")

# Answers that are none, one kind a scan; a good one between, because faults in a row end a run.
NONSENSE = _strategy(15, """
symbol, turn = self.symbols[0], self.scans // 2 % 12
good = Signal(symbol, Action.BUY, 0.01)
if self.scans % 2:
    return [good] if symbol not in held else [Signal(symbol, Action.CLOSE)]
bad = [
    None, 7, {"a": 1}, [1], [Signal("NO/SUCH", Action.BUY)], [Signal(symbol, "BUY", 0.01)], [Signal(symbol, "HOLD")],
    [Signal(symbol, Action.BUY, float("nan"))], [Signal(symbol, Action.BUY, 1)], [Signal(symbol, Action.BUY, -0.1)],
    [Signal(symbol, Action.BUY, 0.1, stop_loss=float("inf"), tag="x" * 1000)], [good] * 60,
]
return bad[turn]
""")

# What is unusual and allowed: numpy's numbers, whole ones, texts for enums; and periods that get a sentence.
ODD = _strategy(30, """
symbol, turn = self.symbols[0], self.scans % 8
data = markets.get(symbol)
if data is None:
    return []
price = data.current_price
told = []
for period in (np.int64(5), np.int32(7), 2.5, True, "9", None, 0):
    for figure in (ema_last, rsi_last, atr_last, rolling_mean_last, ema, highest):
        try:
            told.append(str(np.ravel(figure(data, "5m", period))[-1]))
        except ValueError as error:
            told.append(str(error))
for tier, column in (("5m", "vwap"), ("2m", "close"), (None, "close"), ("5m", 7), ("1h", None)):
    for figure in (lambda: ema_last(data, tier, 5, column), lambda: ema_cross(data, tier, np.int64(3), 5, column),
                   lambda: ema_crossings(markets, tier, 3, np.int64(5), column), lambda: newest(data, tier, column)):
        try:
            told.append(str(figure()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            told.append(type(error).__name__)
reasoning = " ".join(told)
self.heard = (self.heard * 31 + sum(reasoning.encode())) % 1000003
tag = str(self.heard)
return [
    [Signal(symbol, Action.BUY, np.float64(0.02), tag=tag)], [Signal(symbol, "CLOSE", tag=tag)],
    [Signal(symbol, "BUY", np.float32(0.03), "LIMIT", np.float64(price * 0.999), tag=tag)],
    (Signal(symbol, Action.BUY, 0, stop_loss=int(price * 0.9), tag=tag),),
    [Signal(symbol, Action.SELL, np.float64(0.01), intent="DAY", confidence=1, tag=tag)],
    [Signal(symbol, Action.MODIFY, stop_loss=np.int64(price * 0.95), reasoning=reasoning[:200], tag=tag)],
    [Signal(symbol, Action.CLOSE, confidence=np.float64(0.3), tag=tag)],
    [Signal(symbol, Action.BUY, 0.01, stop_loss=data.candles_5m["close"], tag=tag)],
][turn]
""", top="""
import numpy as np
from shell.indicators import (
    atr_last, ema, ema_cross, ema_crossings, ema_last, highest, newest, rolling_mean_last, rsi_last,
)
""")

RAISES = _strategy(60, """
if self.scans > 5:
    raise KeyError("from the sixth scan on, é")
signals = [Signal(self.symbols[0], Action.BUY, 0.1)]
""")

# Stops and targets so near that one bar reaches both, and some that a gap jumps over.
NARROW = _strategy(5, """
for symbol, data in markets.items():
    price, width = data.current_price, draw.choice([0.0002, 0.0005, 0.002])
    if symbol not in held and draw.random() < 0.3:
        signals.append(Signal(symbol, Action.BUY, 0.1, stop_loss=price * (1 - width), take_profit=price * (1 + width)))
    elif draw.random() < 0.1:
        signals.append(Signal(symbol, Action.MODIFY, stop_loss=price * (1 - width / 2), take_profit=price * (1 + width / 2)))
""")

# Every indicator in both forms, on every tier, and the frames themselves.
INDICATORS = _strategy(60, """
for symbol, data in markets.items():
    total = 0.0
    for tier in ("5m", "1h", "1d"):
        figures = [
            ema_last(data, tier, 9), rsi_last(data, tier, 14), atr_last(data, tier, 14), rolling_mean_last(data, tier, 20),
            rolling_deviation_last(data, tier, 20), highest_last(data, tier, 10), lowest_last(data, tier, 10),
            newest(data, tier, "volume"), float(ema_cross(data, tier, 5, 12)), last(ema(data, tier, 9)),
            last(rsi(data, tier, 14)), last(atr(data, tier, 14)), last(rolling_mean(data, tier, 20)),
            last(rolling_deviation(data, tier, 20)), last(highest(data, tier, 10)), last(lowest(data, tier, 10)),
            last(rate_of_change(data, tier, 5)), last(sma(data, tier, 7)), *across(ema_last, markets, tier, 3),
        ]
        total += sum(each for each in figures if each == each)
    frame = data.candles_1h
    mean = frame["close"].tail(24).mean() if len(frame) else None
    told = f"{total!r} {mean!r} {data.spread!r} {data.volume_24h!r}"
    if symbol in held:
        signals.append(Signal(symbol, Action.CLOSE, reasoning=told))
    elif draw.random() < 0.5:
        signals.append(Signal(symbol, Action.BUY, 0.1, reasoning=told))
""", top="""
from shell.indicators import (
    across, atr, atr_last, ema, ema_cross, ema_last, highest, highest_last, last, lowest, lowest_last, newest,
    rate_of_change, rolling_deviation, rolling_deviation_last, rolling_mean, rolling_mean_last, rsi, rsi_last, sma,
)
""")

_CROSSING = """
for symbol, direction in ema_crossings(markets, "5m", {fast}, {slow}).items():
    price = markets[symbol].current_price
    if symbol in held and direction < 0:
        signals.append(Signal(symbol, Action.CLOSE, intent=Intent.DAY))
    elif symbol not in held and direction > 0 and rsi_last(markets[symbol], "5m", 14) < 70:
        signals.append(Signal(symbol, Action.BUY, 0.1, stop_loss=price * 0.98, take_profit=price * 1.04))
"""


def crossing(fast: int, slow: int) -> StrategySource:
    """Asked at every bar and seldom answering: the host rolls over the slots between."""
    return _strategy(
        5, _CROSSING.format(fast=fast, slow=slow), top="from shell.indicators import ema_crossings, rsi_last\n"
    )
