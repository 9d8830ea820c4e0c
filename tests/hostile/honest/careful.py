"""Expects mistakes: missing columns, no data, division by zero; copies what it changes."""

import copy
from types import MappingProxyType, SimpleNamespace

import numpy as np
import polars as pl
from strategy.skills.book import Quiet, towards

DEFAULTS = MappingProxyType({"window": 10, "names": ["close", "absent"]})


class NoData(Exception):
    """Too few bars for a decision."""


class Strategy(Quiet):
    def initialize(self, risk_limits, symbols):
        super().initialize(risk_limits, symbols)
        self.settings = SimpleNamespace(**copy.deepcopy(dict(DEFAULTS)))
        self.failures = 0

    def measured(self, frame, name):
        if frame.height < self.settings.window:
            raise NoData(f"{frame.height} bars")
        return frame[name].tail(self.settings.window).mean()

    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in markets.items():
            found = {}
            for name in self.settings.names:
                try:
                    found[name] = self.measured(data.candles_5m, name)
                except (pl.exceptions.ColumnNotFoundError, NoData) as error:
                    self.failures += 1
                    found[name] = type(error).__name__
                finally:
                    found.setdefault(name, None)
            try:
                ratio = data.current_price / (data.spread - data.spread)
            except ZeroDivisionError:
                ratio = float("inf")
            with np.errstate(divide="ignore", invalid="ignore"):
                odd = np.log(np.array([0.0, -1.0, 1.0]))
            bad = data.candles_5m.filter(pl.col("close") < 0)
            empty = bad["close"].mean()
            changed = np.array(data.candles_5m["close"].to_numpy())
            changed[-1] = 0.0
            try:
                data.candles_5m.with_columns(pl.col("close").cast(pl.Date))
            except pl.exceptions.PolarsError as error:
                found["cast"] = type(error).__name__
            why = f"{found} {ratio} {np.isnan(odd).sum()} {empty} {self.failures} {data.candles_5m['close'][-1] != changed[-1]}"
            signals.append(towards(symbol, 1.0, portfolio, why))
        return signals

    def get_state(self):
        return {"failures": self.failures}

    def load_state(self, state):
        self.failures = state["failures"]
