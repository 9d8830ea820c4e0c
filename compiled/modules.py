"""What is compiled, and what its text must become first; each change with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

# All of one group, so that they call one another as C functions. A class of these may have no subclass outside of them but
# where INHERITED names it. What reads values as a strategy made them (`answers`) is not among them: the compiler
# holds a value to its annotation and raises where Python would look at what is really there.
MODULES = (
    "shell/backtest/run.py", "shell/backtest/glide.py", "shell/backtest/metrics.py", "shell/backtest/result_expected.py",
    "shell/backtest/result_rows.py", "shell/backtest/result_stream.py", "shell/backtest/result_wire.py",
    "shell/backtest/wire_columns.py", "shell/clock.py", "shell/engine.py", "shell/engine_config.py",
    "shell/exchange/gateway.py", "shell/exchange/paper.py", "shell/execution/client_id.py", "shell/execution/guarding.py",
    "shell/execution/known.py", "shell/execution/lately.py", "shell/execution/life.py", "shell/execution/monitor.py",
    "shell/execution/protector.py", "shell/execution/record.py", "shell/execution/steps.py", "shell/execution/waiting.py",
    "shell/execution/withdrawal.py", "shell/host/account.py", "shell/host/candles.py",
    "shell/host/inline.py", "shell/host/lane.py", "shell/host/rolling.py", "shell/host/serving.py", "shell/host/session.py",
    "shell/host/supervisor.py", "shell/host/validate.py", "shell/host/wire.py", "shell/indicators/__init__.py",
    "shell/indicators/arithmetic.py", "shell/indicators/crossing.py", "shell/indicators/newest.py", "shell/live_value.py",
    "shell/market/aggregate.py", "shell/market/bars.py", "shell/market/book.py", "shell/market/columns.py",
    "shell/market/pair.py", "shell/market/recorded.py", "shell/market/tape.py", "shell/money.py", "shell/orders.py",
    "shell/portfolio/ledger.py", "shell/portfolio/valuation.py", "shell/portfolio/worth.py", "shell/risk/approval.py",
    "shell/risk/checks.py", "shell/risk/halts.py", "shell/risk/limits.py", "shell/risk/refusal.py", "shell/risk/sizing.py",
    "shell/risk/staged.py", "shell/risk/view.py", "shell/seat.py",
)

# Named tuples that nobody unpacks: as compiled values they are made without a tuple and read without an index.
TUPLES: Mapping[str, frozenset[str]] = {
    "shell/backtest/glide.py": frozenset({"_Held", "_Touch"}),
    "shell/risk/approval.py": frozenset({"OrderIds", "Approved", "_Case", "_Order"}),
    "shell/risk/checks.py": frozenset({"Reference"}),
    "shell/risk/sizing.py": frozenset({"EntrySize", "_Bound"}),
    "shell/risk/view.py": frozenset({"RiskView"}),
}

# Classes that stay Python's own. Those that derive from the contract's, so that a strategy meets what its author tested with;
# and a dataclass that others derive from, whose defaults theirs build on;
# a compiled run takes the class itself, and no heir.
OUTSIDE: Mapping[str, frozenset[str]] = {
    "shell/backtest/run.py": frozenset({"MemoryJournal"}),
    "shell/host/account.py": frozenset({"HostPosition", "HostPortfolio"}),
    "shell/host/candles.py": frozenset({"HostSymbolData"}),
}

# Compiled classes that interpreted ones derive from: told so, the compiler asks an object for its methods.
INHERITED: Mapping[str, frozenset[str]] = {"shell/market/book.py": frozenset({"MarketBook"})}

# Parameters held to no annotation. Strategies fill in those of the indicators, with numpy's numbers or with what is wrong and
# told so; and moments are counted in numpy's numbers, too.
LOOSE: Mapping[str, frozenset[str]] = {
    "shell/clock.py": frozenset({"ms"}),
    "shell/host/validate.py": frozenset({"item"}),
    "shell/indicators/arithmetic.py": frozenset({"period"}),
    "shell/indicators/crossing.py": frozenset({"tier", "fast", "slow", "column", "key"}),
    "shell/indicators/newest.py": frozenset({"tier", "period", "fast", "slow", "column", "arguments"}),
}


class Replacement(NamedTuple):
    """An exact text that occurs once in its module, what stands there in the copy, and why."""

    old: str
    new: str
    why: str


_SLOT = "a compiled class has no slot descriptors to write through; its constructor costs less than they saved"

REPLACEMENTS: Mapping[str, tuple[Replacement, ...]] = {
    "shell/money.py": (
        Replacement("from typing import Self", "from typing import Final, Self", "an amount's value is set once"),
        Replacement("_new = object.__new__\n", "", _SLOT),
        Replacement('_set_value = _Amount.__dict__["value"].__set__\n', "", _SLOT),
        Replacement(
            '    __slots__ = ("value",)\n    value: Decimal\n', "    value: Final[Decimal]\n",
            "Final forbids what __setattr__ forbade, for all but the constructor",
        ),
        Replacement(
            '''
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("amounts are immutable")
''',
            "",
            "Final stands in its place",
        ),
        Replacement(
            "        number = Decimal(value)\n", "        number = value if type(value) is Decimal else Decimal(value)\n",
            "what the shortcuts below gave is a Decimal already",
        ),
        Replacement('        object.__setattr__(self, "value", number)\n', "        self.value = number\n", _SLOT),
        Replacement(
            "        made = _new(cls)\n        _set_value(made, number)\n        return made\n",
            "        return cls(number)\n", _SLOT,
        ),
        *(
            Replacement(
                f"        made = _new(kind)\n        _set_value(made, {operation}(self.value, other.value))\n"
                "        return made\n",
                f"        return kind({operation}(self.value, other.value))\n", _SLOT,
            )
            for operation in ("_add", "_subtract")
        ),
        Replacement(
            "        made = _new(QuoteAmount)\n        _set_value(made, _multiply(self.value, price.value))\n"
            "        return made\n",
            "        return QuoteAmount(_multiply(self.value, price.value))\n", _SLOT,
        ),
    ),
}
