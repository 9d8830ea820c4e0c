"""More of numpy: dates, texts, records, sorting, sets, and numbers passed on as they are."""

import numpy as np
from strategy.skills.book import Quiet

from shell.contract import Action, Signal


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in markets.items():
            closes = data.candles_5m["close"].to_numpy()
            times = data.candles_5m["timestamp"].to_numpy()
            above = closes[closes >= closes.mean()]
            days, counts = np.unique(times.astype("datetime64[D]"), return_counts=True)
            records = np.zeros(3, dtype=[("price", "f8"), ("count", "i4")])
            records["price"], records["count"] = closes[-3:], counts[:1].repeat(3)
            order = np.argsort(records, order="price")
            names = np.array(["btc", "eth"])
            upper = np.strings.upper(names)
            parts = np.array_split(closes, 7)
            maxima = [part.max() for part in parts]
            inside = np.intersect1d(np.round(closes, 1), np.round(maxima, 1))
            cells = np.digitize(closes[-1], np.quantile(closes, [0.25, 0.5, 0.75]))
            nearest = np.searchsorted(np.sort(closes), closes[-1])
            total = np.add.accumulate(closes)[-1]
            moved = np.roll(closes, 1)
            interpolated = np.interp(2.5, [1, 2, 3], closes[-3:])
            text = np.array2string(closes[-2:], precision=2)
            why = (
                f"{len(above)} {days[-1]} {order.tolist()} {upper[0]} {len(inside)} {cells} {nearest} {total:.3f} "
                f"{np.isclose(moved[0], closes[-1])} {interpolated:.4f} {text} {closes.astype(np.float32).nbytes}"
            )
            size = np.clip(closes.std() / closes.mean(), 0.0, 0.05)
            signals.append(
                Signal(symbol, Action.BUY, size, stop_loss=np.float32(closes.min()), confidence=np.float64(0.5), reasoning=why)
            )
        return signals
