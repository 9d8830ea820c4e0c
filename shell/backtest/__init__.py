"""Backtests: the history driver, metrics, overfitting statistics, and the independent check by `backtesting`."""
