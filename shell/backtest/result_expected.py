"""What a fast backtest's parent knows of the result before it comes, and how much of it is read at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shell.clock import to_ms
from shell.market.bars import Tier

# The text of an honest result is some hundred bytes a fill or trade.
TEXT_BYTES_MAX = 256 << 20
TEXT_BYTES_A_BAR = 1024
TEXT_BYTES_SPARE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the parent knows of the result before it comes. `start` is aligned to five minutes."""

    symbols: tuple[str, ...]
    start: datetime
    end: datetime

    @property
    def steps(self) -> int:
        """Marks of the equity curve: one for every slot from the first to the last."""
        return (to_ms(self.end) - to_ms(self.start)) // Tier.M5.ms + 1

    @property
    def text_bytes_max(self) -> int:
        """The longest text that is read at all, rows that come before the answer included."""
        return min(TEXT_BYTES_MAX, TEXT_BYTES_SPARE + TEXT_BYTES_A_BAR * self.steps * len(self.symbols))
