"""What the OpenAPI description promises, the control API keeps: for every route, by generated requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from shell.control.api import create_app
from tests.shell.control.desks import Served, served
from tests.thorough import THOROUGH

pytestmark = [*THOROUGH, pytest.mark.timeout(1800)]

EXAMPLES = 8
# Which candidates, trials and versions there are no schema can say, so a well-formed request may well be refused.
LEFT_OUT = ("positive_data_acceptance",)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("described") / "home") as ready:
        yield ready


def test_every_route_keeps_its_description(shell: Served) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(shell.calls))
    operations: list[Any] = [cast(Any, found).ok() for found in schema.get_all_operations()]
    assert len(operations) > 40
    problems: list[str] = []
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            problems += tried(operation, mode)
    assert not problems, "\n\n".join(problems)
    assert shell.calls.ask(lambda desk: desk.status().mode) == "paper"


def tried(operation: Any, mode: GenerationMode) -> list[str]:
    """What is wrong with the answers to generated requests of one kind, at most one sentence."""
    left_out = [CHECKS.get_one(name) for name in LEFT_OUT]

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers_as_described(case: Any) -> None:
        if case.query and "wait" in case.query:
            # As described, but not for minutes.
            case.query["wait"] = min(float(case.query["wait"]), 0.2) if isinstance(case.query["wait"], int | float) else "x"
        case.call_and_validate(excluded_checks=left_out)

    try:
        answers_as_described()
    except Unsatisfiable:
        # Nothing can be wrong with a request that has no parts.
        return []
    except BaseException as error:
        if not isinstance(error, Exception | BaseExceptionGroup):
            raise
        return [f"{operation.label} ({mode.value}): {error}"]
    return []
