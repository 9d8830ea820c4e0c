"""Parity: does the main book do what a backtest over the same bars says it does? Every difference explained, or an alarm."""
