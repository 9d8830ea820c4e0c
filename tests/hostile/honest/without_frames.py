"""Indicators, numpy and the standard library, no frame: its process is spared polars, and everything here must be found."""

import bisect
import copy
import heapq
import itertools
import math
import random
import re
import statistics
from collections import Counter, defaultdict, deque
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import Enum
from string import Template

import numpy as np

from shell import indicators
from shell.contract import Action, Portfolio, Signal, SymbolData

EPOCH = datetime.strptime("2024-01-01 00:00", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
SAYING = Template("$name at $price")


class Mood(Enum):
    CALM = "calm"
    WILD = "wild"


@dataclass(frozen=True)
class Look:
    mood: Mood
    score: float
    seen: int = 0


class Strategy:
    scan_interval_minutes = 5

    def initialize(self, risk_limits, symbols) -> None:
        self.random = random.Random(11)
        self.generator = np.random.default_rng(11)
        self.looks = {symbol: Look(Mood.CALM, 0.0) for symbol in symbols}
        self.scores = defaultdict(lambda: deque(maxlen=50))
        self.moods = Counter()

    def analyze(self, markets: dict[str, SymbolData], portfolio: Portfolio, timestamp: datetime) -> list[Signal]:
        held = {position.symbol for position in portfolio.positions}
        found = []
        for symbol, data in markets.items():
            score = self.score(np.asarray(indicators.ema(data, "1h", 5)), data.current_price)
            self.scores[symbol].append(score)
            mood = Mood.WILD if statistics.pstdev(self.scores[symbol]) > 0.5 else Mood.CALM
            self.looks[symbol] = replace(self.looks[symbol], mood=mood, score=score, seen=self.looks[symbol].seen + 1)
            self.moods[mood.value] += 1
            heapq.heappush(found, (-score, symbol))
        signals = []
        for rank, (score, symbol) in enumerate(itertools.islice(found, 2)):
            size = Decimal("0.05").quantize(Decimal("0.001"), rounding=ROUND_DOWN)
            name = re.sub(r"\W+", "-", symbol).lower()
            price = markets[symbol].current_price
            reason = SAYING.substitute(name=name, price=f"{price:,.2f}") + f" rank {rank} after {timestamp - EPOCH}"
            action = Action.CLOSE if symbol in held else Action.BUY
            signals.append(Signal(symbol, action, float(size), reasoning=f"{reason} {-score:.6g} {np.float32(price)!s:.9}"))
        return copy.deepcopy(signals)

    def score(self, series, price):
        known = series[~np.isnan(series)][-48:]
        if known.size < 8:
            return 0.0
        capped = known[known <= np.quantile(known, 0.95)]
        fitted = np.polynomial.Polynomial.fit(np.arange(known.size), known, 2)
        power = np.abs(np.fft.rfft(known - known.mean()))[1:]
        windows = np.lib.stride_tricks.sliding_window_view(known, 4).mean(axis=1)
        solved, *_ = np.linalg.lstsq(np.vander(known[-6:], 2), np.arange(6.0), rcond=None)
        with np.errstate(divide="ignore", invalid="ignore"):
            odd = np.nan_to_num(np.log(known - known), neginf=0.0).sum() + np.nanmedian(known / known)
        words = np.strings.upper(np.array(["up", "down"]))
        texts = np.array2string(known[:3], precision=3) + str(np.datetime64(EPOCH.replace(tzinfo=None), "m") + words.size)
        drawn = self.generator.normal(size=3).sum() + self.random.gauss(0.0, 1.0)
        place = bisect.bisect(sorted(known.tolist()), price)
        whole = capped.mean() + fitted(known.size) + power.max() + windows[-1] + solved[0] + odd + np.corrcoef(known, known)[0, 1]
        return math.fsum([float(whole), len(texts), float(drawn), place, np.einsum("i,i", known, known) / price]) / price

    def on_fill(self, symbol, action, qty, price, intent) -> None:
        self.moods[f"fill {action.value}"] += 1

    def on_position_closed(self, symbol, pnl, pnl_pct) -> None:
        self.moods["closed"] += 1

    def get_state(self):
        looks = {symbol: asdict(look) | {"mood": look.mood.value} for symbol, look in self.looks.items()}
        return {"looks": looks, "moods": dict(self.moods), "at": (EPOCH + timedelta(days=1)).isoformat()}

    def load_state(self, state) -> None:
        self.moods.update(state["moods"])
