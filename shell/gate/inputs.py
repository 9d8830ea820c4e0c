"""Everything the gate decides on, as one value that survives JSON, so that storage can give the same verdict again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from shell.config import GateConfig
from shell.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """One backtest on the selection segment. Sharpe is per day; skew and kurtosis (non-excess) are of daily returns."""

    total_return_pct: float
    max_drawdown_pct: float
    trades: int
    days: int
    daily_sharpe: float
    skew: float
    kurtosis: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """What a candidate is measured against on the same segment: the incumbent, or buying and holding."""

    name: str
    total_return_pct: float
    daily_sharpe: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultLook:
    """The one look at the vault. `refusal` is set, and the figures are zero, when the look could not be had."""

    total_return_pct: float
    max_drawdown_pct: float
    trades: int
    days: int
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateInputs:
    """`trial_sharpes` holds the daily Sharpe ratio of every distinct trial ever scored on a selection segment, this
    candidate's included. `stressed_return_pct` is None when the stress run was not worth making, `vault` is None until
    every check before it has passed."""

    deterministic: bool
    answers_hash: str
    run: RunFigures
    stressed_return_pct: float | None
    trial_sharpes: tuple[float, ...]
    incumbent: Rival
    buy_and_hold: Rival
    vault: VaultLook | None = None


def to_stored(inputs: GateInputs, config: GateConfig) -> dict[str, Any]:
    """Inputs and thresholds as JSON values."""
    values = asdict(inputs)
    values["trial_sharpes"] = list(inputs.trial_sharpes)
    return {"inputs": values, "thresholds": config.model_dump(mode="json")}


def from_stored(stored: Mapping[str, Any]) -> tuple[GateInputs, GateConfig]:
    """The reverse of `to_stored`. Raises BadInput when something is missing or of another shape."""
    try:
        values = dict(stored["inputs"])
        vault = values.pop("vault")
        inputs = GateInputs(
            deterministic=bool(values.pop("deterministic")),
            answers_hash=str(values.pop("answers_hash")),
            run=RunFigures(**values.pop("run")),
            stressed_return_pct=values.pop("stressed_return_pct"),
            trial_sharpes=tuple(float(sharpe) for sharpe in values.pop("trial_sharpes")),
            incumbent=Rival(**values.pop("incumbent")),
            buy_and_hold=Rival(**values.pop("buy_and_hold")),
            vault=VaultLook(**vault) if vault is not None else None,
        )
        config = GateConfig(**stored["thresholds"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"stored gate inputs cannot be read back: {error!r}") from None
    if values:
        raise BadInput(f"stored gate inputs hold unknown values: {', '.join(sorted(values))}")
    return inputs, config
