"""Flows by name, for running one by hand: `brain run NAME --param key=value`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prefect import Flow
from prefect.exceptions import ParameterTypeError

from flows.aggregate import aggregate
from flows.distill import distill
from flows.evolve import evolve
from flows.fees import fees
from flows.orchestrate import orchestrate
from flows.parity import parity
from flows.reconcile import reconcile
from flows.scan import scan
from flows.snapshot import snapshot
from shell.errors import UsageError

FLOWS: Mapping[str, Flow[Any, Any]] = {
    each.name: each for each in (scan, fees, snapshot, orchestrate, evolve, aggregate, distill, parity, reconcile)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowParameter:
    """One parameter of a flow, as a person may set it."""

    name: str
    kind: str
    default: str


def find_flow(name: str) -> Flow[Any, Any]:
    """The flow called `name`. Raises UsageError that names those there are."""
    if name not in FLOWS:
        raise UsageError(f"there is no flow {name!r}; there are {', '.join(FLOWS)}")
    return FLOWS[name]


def flow_parameters(name: str) -> tuple[FlowParameter, ...]:
    """What `name` may be given."""
    signature = inspect.signature(find_flow(name).fn)
    return tuple(
        FlowParameter(name=each.name, kind=str(each.annotation), default=str(each.default))
        for each in signature.parameters.values()
    )


def run_flow(name: str, parameters: Mapping[str, str]) -> Any:
    """Run a flow in this process and return its answer. Needs a client in use (tasks.context).

    Raises UsageError for an unknown flow or parameter, or a value of the wrong kind; whatever the flow raises else.
    """
    chosen = find_flow(name)
    known = [each.name for each in flow_parameters(name)]
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise UsageError(f"flow {name} has no parameter {', '.join(unknown)}; it has {', '.join(known)}")
    try:
        chosen.validate_parameters(dict(parameters))
    except ParameterTypeError as error:
        raise UsageError(f"flow {name}: {' '.join(str(error).split())}") from None

    async def start() -> Any:
        answer: Any = chosen(**parameters)
        return await answer

    return asyncio.run(start())
