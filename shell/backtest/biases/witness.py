"""A strategy that trades nothing and checks what it is shown: run in the same place as any other, it sees what they see."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields

from shell.host.port import StrategySource
from shell.orders import SignalAnswer

TAG = "witness"

# Asked four times an hour, because what leaks from an hour or a day is in view only while that is unfinished. Each candle
# is judged once, when it first appears. Its tallies travel in the wording of a signal that risk refuses (nothing is held).
CODE = '''
import numpy as np

from shell.contract import Action, Signal

LENGTH_MS = {"5m": 300_000, "1h": 3_600_000, "1d": 86_400_000}
PRICES = ("open", "high", "low", "close", "volume")
TOLERANCE = 1e-9


class Strategy:
    scan_interval_minutes = 15

    def initialize(self, risk_limits, symbols):
        self.symbols = symbols
        self.seen = {}
        self.tally = {"candles": 0, "unfinished": 0, "matching": 0, "differing": 0, "unmatched": 0, "late": 0}

    def analyze(self, markets, portfolio, timestamp):
        now = round(timestamp.timestamp() * 1000)
        for symbol, data in markets.items():
            candles = {"5m": data.candles_5m, "1h": data.candles_1h, "1d": data.candles_1d}
            five = candles["5m"]
            times = five["timestamp"].dt.epoch("ms").to_numpy()
            for tier, frame in candles.items():
                self.judge(symbol, tier, frame, five, times, now)
        words = " ".join(f"{name}={count}" for name, count in self.tally.items())
        return [Signal(self.symbols[0], Action.CLOSE, reasoning=words, tag="witness")]

    def judge(self, symbol, tier, frame, five, five_times, now):
        length = LENGTH_MS[tier]
        opened = frame["timestamp"].dt.epoch("ms").to_numpy()
        begin = int(np.searchsorted(opened, self.seen.get((symbol, tier), -1), side="right"))
        self.late(tier, opened, five_times, now)
        if begin == len(opened):
            return
        self.seen[symbol, tier] = int(opened[-1])
        self.tally["candles"] += len(opened) - begin
        self.tally["unfinished"] += int((opened[begin:] + length > now).sum())
        if tier == "5m":
            return
        starts = np.searchsorted(five_times, opened[begin:])
        stops = np.searchsorted(five_times, opened[begin:] + length)
        rows = frame.select(PRICES).slice(begin).to_numpy()
        within = five.select(PRICES).to_numpy()[int(starts[0]):]
        covered = len(five_times) > 0
        for row, start, stop, at in zip(rows, starts - starts[0], stops - starts[0], opened[begin:]):
            if not covered or five_times[0] > at:
                self.tally["unmatched"] += 1
                continue
            bars = within[start:stop]
            same = len(bars) > 0 and np.allclose(
                row,
                (bars[0, 0], bars[:, 1].max(), bars[:, 2].min(), bars[-1, 3], bars[:, 4].sum()),
                rtol=TOLERANCE, atol=0.0,
            )
            self.tally["matching" if same else "differing"] += 1

    def late(self, tier, opened, five_times, now):
        """A candle whose end has passed and whose 5m bars are in view must be in view itself."""
        length = LENGTH_MS[tier]
        if tier == "5m" or len(five_times) == 0:
            return
        due = now // length * length - length
        known = five_times[0] <= due and np.searchsorted(five_times, due) < np.searchsorted(five_times, due + length)
        if known and (len(opened) == 0 or opened[-1] < due):
            self.tally["late"] += 1

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {}

    def load_state(self, state):
        pass
'''
SOURCE = StrategySource(code=CODE, origin="witness.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Counts of candles shown: all of them, those that had not closed when shown, higher ones that equal or contradict
    the 5m bars shown with them, those without 5m bars to compare with; `late` counts scans without a candle that was due."""

    scans: int
    candles: int = 0
    unfinished: int = 0
    matching: int = 0
    differing: int = 0
    unmatched: int = 0
    late: int = 0


def sighting_of(answers: Sequence[SignalAnswer]) -> Sighting:
    """What the witness reported in the answers of its run; its last word covers all before."""
    told = [answer for answer in answers if answer.tag == TAG]
    if not told:
        return Sighting(scans=0)
    counts = dict(pair.split("=") for pair in told[-1].reasoning.split())
    names = {each.name for each in fields(Sighting)} - {"scans"}
    return Sighting(scans=len(told), **{name: json.loads(counts[name]) for name in sorted(names)})
