"""Money that does not mix: `Price`, `BaseQty` and `QuoteAmount` wrap Decimal and refuse to add to one another.

Decimal from the exchange's JSON to the database (TEXT) and back. A strategy's floats become money once, in risk, by
`decimal_of`, and are then quantised to the pair's tick and lot; nothing here ever makes an order of a float.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation, localcontext
from math import isfinite
from typing import Self

# Products of two 18-digit quantities stay exact; the default context's 28 digits would round some of them silently.
CONTEXT = Context(prec=50)
AVERAGE_CONTEXT = Context(prec=18)
ZERO = Decimal(0)
_add, _subtract, _multiply = CONTEXT.add, CONTEXT.subtract, CONTEXT.multiply
_new = object.__new__


def decimal_of(value: float | int | str | Decimal) -> Decimal:
    """The Decimal a person would write for `value` (a float by its shortest repr). Raises ValueError if not finite."""
    if type(value) is float and isfinite(value):
        # A finite float, as prices are, without the checks that all else needs.
        return Decimal(repr(value))
    try:
        number = Decimal(repr(float(value))) if isinstance(value, float) else Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return number


def plain(number: Decimal) -> str:
    """`number` in plain notation, never 1E-5, without trailing zeros."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def percent(fraction: Decimal) -> str:
    """A fraction as a person reads it, to a hundredth of a percent: 0.0312 is "3.12 %". For sentences only."""
    with localcontext(CONTEXT):
        return f"{plain((fraction * 100).quantize(Decimal('0.01')))} %"


class _Amount:
    """Shared arithmetic of one kind of amount: same kind with same kind, or scaled by a plain Decimal or int."""

    __slots__ = ("value",)
    value: Decimal

    def __init__(self, value: Decimal | int | str) -> None:
        if isinstance(value, float):
            raise TypeError("money is never a float: use decimal_of() where one enters")
        number = Decimal(value)
        if not number.is_finite():
            raise ValueError(f"{value} is not an amount: money is finite")
        object.__setattr__(self, "value", number)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("amounts are immutable")

    def __reduce__(self) -> tuple[type[Self], tuple[Decimal]]:
        return type(self), (self.value,)

    @classmethod
    def of(cls, number: Decimal) -> Self:
        """The amount of a Decimal known to be finite: one made here, by arithmetic that raises on overflow. Unchecked."""
        made = _new(cls)
        _set_value(made, number)
        return made

    def __add__(self, other: Self) -> Self:
        kind = type(self)
        if type(other) is not kind:
            self._same(other)
        made = _new(kind)
        _set_value(made, _add(self.value, other.value))
        return made

    def __sub__(self, other: Self) -> Self:
        kind = type(self)
        if type(other) is not kind:
            self._same(other)
        made = _new(kind)
        _set_value(made, _subtract(self.value, other.value))
        return made

    def __neg__(self) -> Self:
        return self.of(CONTEXT.minus(self.value))

    def scaled(self, factor: Decimal | int) -> Self:
        """This amount times a dimensionless factor."""
        return self.of(CONTEXT.multiply(self.value, Decimal(factor)))

    def __lt__(self, other: Self) -> bool:
        return self.value < (other.value if type(other) is type(self) else self._same(other))

    def __le__(self, other: Self) -> bool:
        return self.value <= (other.value if type(other) is type(self) else self._same(other))

    def __gt__(self, other: Self) -> bool:
        return self.value > (other.value if type(other) is type(self) else self._same(other))

    def __ge__(self, other: Self) -> bool:
        return self.value >= (other.value if type(other) is type(self) else self._same(other))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.value == other.value

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.value))

    def __bool__(self) -> bool:
        return bool(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __str__(self) -> str:
        return plain(self.value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({plain(self.value)})"

    def _same(self, other: Self) -> Decimal:
        if type(other) is not type(self):
            raise TypeError(f"a {type(self).__name__} and a {type(other).__name__} do not mix")
        return other.value


_set_value = _Amount.__dict__["value"].__set__


class QuoteAmount(_Amount):
    """An amount of the account currency, such as USD."""

    __slots__ = ()

    def ratio(self, other: QuoteAmount) -> Decimal:
        """This amount as a dimensionless fraction of `other`."""
        return CONTEXT.divide(self.value, self._same(other))


class BaseQty(_Amount):
    """A quantity of a coin."""

    __slots__ = ()

    def times(self, price: Price) -> QuoteAmount:
        """What this quantity costs at `price`."""
        made = _new(QuoteAmount)
        _set_value(made, _multiply(self.value, price.value))
        return made


class Price(_Amount):
    """Quote units per base unit."""

    __slots__ = ()

    def quantity_for(self, amount: QuoteAmount) -> BaseQty:
        """The quantity that `amount` buys at this price. Raises ZeroDivisionError at price zero."""
        return BaseQty.of(CONTEXT.divide(amount.value, self.value))

    @classmethod
    def average(cls, cost: QuoteAmount, qty: BaseQty) -> Price:
        """The average price of `qty` bought for `cost`, to 18 significant digits: no fewer for a coin at 1e-9."""
        return cls.of(AVERAGE_CONTEXT.divide(cost.value, qty.value))


def quantise(value: Decimal, step: Decimal, rounding: str = ROUND_DOWN) -> Decimal:
    """`value` as a whole multiple of `step` (a tick or a lot), rounded in the stated direction."""
    return _multiply(CONTEXT.divide(value, step).to_integral_value(rounding), step)


NO_MONEY = QuoteAmount(0)
NO_QTY = BaseQty(0)
