"""The process of a fast backtest whose strategy will touch no frame, without polars (`shell.host.frameless`)."""

from __future__ import annotations

from collections.abc import Sequence

from shell.backtest.fast_child import work
from shell.host.frameless import shut
from shell.host.lockdown import Enclosure
from shell.host.preload import preload


def main(descriptor: int, enclosure: Enclosure, _lane: Sequence[int], ground: int) -> None:
    """Run backtests over the ground behind `ground`; exit as soon as something is wanted that is not here."""
    work(descriptor, enclosure, ground, preload, shut)
