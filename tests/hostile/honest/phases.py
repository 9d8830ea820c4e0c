"""A state machine of enums and dataclasses, kept across restarts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, replace
from enum import Enum, IntEnum, auto
from typing import Any, ClassVar, NamedTuple, Protocol

from shell.contract import Action, Intent, Portfolio, RiskLimits, Signal, SymbolData


class Phase(Enum):
    WAITING = "waiting"
    RISING = "rising"
    FALLING = "falling"


class Speed(IntEnum):
    SLOW = auto()
    FAST = auto()


class Bar(NamedTuple):
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class Memory:
    phase: Phase = Phase.WAITING
    since: int = 0
    seen: tuple[float, ...] = field(default_factory=tuple)

    def with_price(self, price: float) -> Memory:
        return replace(self, seen=(*self.seen, round(price, 6))[-5:], since=self.since + 1)


class Rule(Protocol):
    def decide(self, memory: Memory, bar: Bar) -> Phase: ...


class Base(ABC):
    name: ClassVar[str] = "base"

    @abstractmethod
    def decide(self, memory: Memory, bar: Bar) -> Phase: ...


class Momentum(Base):
    name = "momentum"

    def decide(self, memory: Memory, bar: Bar) -> Phase:
        match memory.seen:
            case ():
                return Phase.WAITING
            case (only,):
                return Phase.RISING if bar.close > only else Phase.FALLING
            case (first, *_, last) if last > first:
                return Phase.RISING
            case _:
                return Phase.FALLING


class Strategy:
    def __init__(self) -> None:
        self.rule: Rule = Momentum()
        self.memories: dict[str, Memory] = {}

    def initialize(self, risk_limits: RiskLimits, symbols: list[str]) -> None:
        self.memories = {symbol: Memory() for symbol in symbols}

    def analyze(self, markets: dict[str, SymbolData], portfolio: Portfolio, timestamp: Any) -> list[Signal]:
        signals: list[Signal] = []
        for symbol, data in markets.items():
            last = data.candles_5m.row(-1, named=True)
            bar = Bar(last["close"], last["volume"])
            memory = self.memories[symbol]
            phase = self.rule.decide(memory, bar)
            self.memories[symbol] = replace(memory.with_price(bar.close), phase=phase)
            speed = Speed.FAST if self.memories[symbol].since > 3 else Speed.SLOW
            if phase is not Phase.WAITING:
                action = Action.BUY if phase is Phase.RISING else Action.CLOSE
                why = f"{phase.value} for {self.memories[symbol].since}, {speed.name} {speed:d}, {type(self.rule).__name__}"
                signals.append(Signal(symbol, action, 0.02, intent=Intent.DAY, reasoning=why))
        return signals

    def on_fill(self, symbol: str, action: Action, qty: float, price: float, intent: Intent) -> None:
        self.memories[symbol] = replace(self.memories[symbol], since=0)

    def on_position_closed(self, symbol: str, pnl: float, pnl_pct: float) -> None:
        self.memories[symbol] = Memory()

    def get_state(self) -> dict[str, Any]:
        return {symbol: asdict(memory) | {"phase": memory.phase.value} for symbol, memory in self.memories.items()}

    def load_state(self, state: dict[str, Any]) -> None:
        for symbol, kept in state.items():
            self.memories[symbol] = Memory(Phase(kept["phase"]), kept["since"], tuple(kept["seen"]))

    @property
    def scan_interval_minutes(self) -> int:
        return 5
