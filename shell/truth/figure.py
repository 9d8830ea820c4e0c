"""One figure: its value, or the sentence that says why there is none. Never a made-up zero, never an infinity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

Number = float | int | Decimal


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` is None exactly where `why` says what is missing. Raises ValueError for a value that is not finite."""

    value: Number | None
    why: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) == (not self.why):
            raise ValueError("a figure has either a value or the reason for having none")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.value} is no figure: say why there is none instead")


def no_answer(why: str) -> Figure:
    """A figure that cannot be told yet."""
    return Figure(None, why)


Figures = Mapping[str, Figure]


def values_of(figures: Figures) -> dict[str, Number | None]:
    """Name to value; None where there is no answer."""
    return {name: figure.value for name, figure in figures.items()}


def reasons_of(figures: Figures) -> dict[str, str]:
    """Why figures without an answer have none."""
    return {name: figure.why for name, figure in figures.items() if figure.why}
