"""Cycles and filters: Fourier transforms, convolution, sliding windows."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from strategy.skills.book import Quiet, towards


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        signals = []
        for symbol, data in markets.items():
            closes = data.candles_5m["close"].to_numpy()[-256:]
            detrended = closes - np.linspace(closes[0], closes[-1], len(closes))
            power = np.abs(np.fft.rfft(detrended * np.hanning(len(detrended)))) ** 2
            period = len(closes) / (1 + int(np.argmax(power[1:])))
            smooth = np.convolve(closes, np.ones(8) / 8, mode="valid")
            windows = sliding_window_view(closes, 16)
            spread = windows.std(axis=1)
            cleaned = np.fft.irfft(np.where(np.arange(129) < 6, np.fft.rfft(detrended), 0))
            turns = int(np.count_nonzero(np.diff(np.sign(np.diff(smooth)))))
            why = (
                f"period {period:.2f}, turns {turns}, spread {spread[-1]:.4f} {np.median(spread):.4f}, phase {cleaned[-1]:.4f}"
            )
            signals.append(towards(symbol, float(cleaned[-1] - cleaned[-2]), portfolio, why))
        return signals
