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
    """What a candidate is measured against on the same days: the incumbent, or buying and holding."""

    name: str
    total_return_pct: float
    daily_sharpe: float
    daily_returns: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasFinding:
    """One answer of `shell.backtest.biases`: clean, unknown or biased. `kept` is the part of the gain that is left one bar
    later, of the lag alone and only where there was a gain."""

    check: str
    verdict: str
    sentence: str
    kept: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """The candidate with one of its numbers one step away: `values` names it. A run that broke has a `fault` and no Sharpe
    ratio."""

    values: Mapping[str, float]
    daily_sharpe: float | None
    fault: str = ""


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
    """`trial_sharpes` holds the daily Sharpe ratio of every distinct trial ever scored on any of these days, this
    candidate's included, and None for one that has none; `daily_returns` are the candidate's, `other_trials` those of every
    other trial scored on exactly these candles, so day by day beside it. `undeclared_numbers` counts those of its text that no
    parameter declares. `stressed_return_pct`, `biases`, `neighbours` and
    `vault` are None until they are worth making; a candidate with no number that could be moved has no neighbours, which is
    an empty tuple."""

    deterministic: bool
    answers_hash: str
    run: RunFigures
    stressed_return_pct: float | None
    trial_sharpes: tuple[float | None, ...]
    daily_returns: tuple[float, ...]
    other_trials: tuple[tuple[float, ...], ...]
    incumbent: Rival
    buy_and_hold: Rival
    undeclared_numbers: int
    biases: tuple[BiasFinding, ...] | None = None
    neighbours: tuple[Neighbour, ...] | None = None
    vault: VaultLook | None = None


def to_stored(inputs: GateInputs, config: GateConfig) -> dict[str, Any]:
    """Inputs and thresholds as JSON values."""
    return {"inputs": _listed(asdict(inputs)), "thresholds": config.model_dump(mode="json")}


def from_stored(stored: Mapping[str, Any]) -> tuple[GateInputs, GateConfig]:
    """The reverse of `to_stored`. Raises BadInput when something is missing, as it is in what an earlier version of this
    program stored, or of another shape."""
    try:
        values, thresholds = dict(stored["inputs"]), dict(stored["thresholds"])
        _require_keys("inputs", values, GateInputs.__slots__)
        _require_keys("thresholds", thresholds, GateConfig.model_fields)
        return _inputs(values), GateConfig(**thresholds)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"stored gate inputs cannot be read back: {error!r}") from None


def rival_of(stored: Mapping[str, Any]) -> Rival:
    """A rival as a backtest stage stored it. Raises BadInput for one stored by an earlier version of this program."""
    try:
        return Rival(**{**stored, "daily_returns": _numbers(stored["daily_returns"])})
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"the stored backtest cannot be judged, an earlier version of this program made it ({error!r}): submit the "
            "strategy again to score it anew"
        ) from None


def _inputs(values: Mapping[str, Any]) -> GateInputs:
    biases, neighbours, vault = values["biases"], values["neighbours"], values["vault"]
    return GateInputs(
        deterministic=bool(values["deterministic"]),
        answers_hash=str(values["answers_hash"]),
        run=RunFigures(**values["run"]),
        stressed_return_pct=values["stressed_return_pct"],
        trial_sharpes=tuple(None if sharpe is None else float(sharpe) for sharpe in values["trial_sharpes"]),
        daily_returns=_numbers(values["daily_returns"]),
        other_trials=tuple(_numbers(returns) for returns in values["other_trials"]),
        incumbent=_rival(values["incumbent"]),
        buy_and_hold=_rival(values["buy_and_hold"]),
        undeclared_numbers=int(values["undeclared_numbers"]),
        biases=None if biases is None else tuple(BiasFinding(**finding) for finding in biases),
        neighbours=None if neighbours is None else tuple(Neighbour(**neighbour) for neighbour in neighbours),
        vault=None if vault is None else VaultLook(**vault),
    )


def _rival(values: Mapping[str, Any]) -> Rival:
    return Rival(**{**values, "daily_returns": _numbers(values["daily_returns"])})


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _require_keys(what: str, values: Mapping[str, Any], names: Any) -> None:
    missing, surplus = set(names) - values.keys(), values.keys() - set(names)
    if missing:
        raise BadInput(
            f"stored gate {what} lack {', '.join(sorted(missing))}: an earlier version of this program stored them, and its "
            "verdict does not count; submit the strategy again"
        )
    if surplus:
        raise BadInput(f"stored gate {what} hold unknown values: {', '.join(sorted(surplus))}")


def _listed(value: Any) -> Any:
    """Tuples as lists, all the way down, as JSON gives them back."""
    if isinstance(value, dict):
        return {name: _listed(inner) for name, inner in value.items()}
    return [_listed(inner) for inner in value] if isinstance(value, list | tuple) else value
