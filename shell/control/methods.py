"""What the control API serves of the desk: every method of the ShellClient protocol, with its types, read off `Desk` itself.

So a method added to the desk is served, typed and described without another line, and server and client cannot disagree.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, get_type_hints

from pydantic import AwareDatetime, BaseModel, ConfigDict, create_model

from shell.desk import Desk

# A scan is registered and awaited (`/slots`): over a socket nobody moves the shell's clock. The other two are in process only.
NOT_SERVED = frozenset({"scan", "shell"})
# Pure questions: asking them twice costs nothing but time, so a client may repeat them.
READS = frozenset({
    "settings", "status", "unreported_scans", "active_strategy", "strategy_index", "document", "performance", "budget",
    "backtest_settings", "submissions", "candidate", "candidates", "scores", "last_search", "paper_trials",
    "spending", "model_calls", "predictions", "untold_trials", "equity",
})
# Also repeatable, since what they write down is written once: a quarter's edges, how a rerun ended.
REPEATABLE = READS | {"segments", "run_again"}
SECONDS = 30.0
# What reads or computes much before it answers. The trading thread is held meanwhile, so nothing else belongs here.
SLOW_SECONDS: Mapping[str, float] = {
    "history": 120.0, "settle_paper": 600.0, "aggregate": 120.0, "promote": 120.0, "rollback": 120.0, "snapshot": 60.0,
    "quarantine": 120.0, "run_again": 120.0, "start_paper": 120.0, "parity": 120.0, "distil": 60.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of the desk. `answer` is its return annotation, `seconds` how long it may hold the trading thread."""

    name: str
    arguments: type[BaseModel]
    answer: Any
    reads: bool
    seconds: float
    summary: str


@lru_cache(maxsize=1)
def methods() -> Mapping[str, Method]:
    """Every method that is served, by name."""
    public = (
        (name, value) for name, value in inspect.getmembers(Desk, inspect.isfunction)
        if not name.startswith("_") and name not in NOT_SERVED
    )
    return {name: _method(name, value) for name, value in public}


def _method(name: str, function: Any) -> Method:
    hints = get_type_hints(function)
    answer = hints.pop("return")
    fields: dict[str, Any] = {}
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        kind = AwareDatetime if hints[parameter.name] is datetime else hints[parameter.name]
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (kind, default)
    title = "".join(part.capitalize() for part in name.split("_"))
    model: type[BaseModel] = create_model(f"{title}Arguments", __config__=ConfigDict(extra="forbid"), **fields)
    summary = (inspect.getdoc(function) or f"{name.replace('_', ' ').capitalize()}.").splitlines()[0]
    return Method(
        name=name, arguments=model, answer=answer, reads=name in REPEATABLE, seconds=SLOW_SECONDS.get(name, SECONDS),
        summary=summary,
    )
