"""Seeded chance: resampled returns with numpy, picks with the standard library."""

import random

import numpy as np
from strategy.skills.book import Quiet, towards


class Strategy(Quiet):
    def initialize(self, risk_limits, symbols):
        super().initialize(risk_limits, symbols)
        self.dice = random.Random(20240110)

    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for number, (symbol, data) in enumerate(sorted(markets.items())):
            rng = np.random.default_rng([number, int(timestamp.timestamp())])
            changes = np.diff(np.log(data.candles_1h["close"].to_numpy()))
            paths = rng.choice(changes, size=(500, 24)).sum(axis=1)
            normal = np.random.Generator(np.random.PCG64(7)).standard_normal(100).mean()
            chance = float((paths > 0).mean())
            shuffled = data.candles_1h.sample(5, seed=3)["close"].to_list()
            picked = self.dice.choice(["a", "b", "c"]), self.dice.randint(1, 6), round(self.dice.gauss(0, 1), 6)
            why = f"rises in {chance:.3f}, 5% {np.quantile(paths, 0.05):.5f}, {normal:.6f}, {picked}, {sum(shuffled):.3f}"
            signals.append(towards(symbol, chance - 0.5, portfolio, why))
        return signals
