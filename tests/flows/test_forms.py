"""Every parameter of every flow has a sentence on Prefect's form: whoever fills it in has not read the code."""

from __future__ import annotations

import pytest
from prefect.utilities.callables import parameter_schema

from flows.registry import FLOWS


@pytest.mark.parametrize("flow", FLOWS)
def test_every_parameter_is_explained(flow: str) -> None:
    fields = parameter_schema(FLOWS[flow]).properties
    assert "now" in fields
    assert [name for name, field in fields.items() if not field.get("description")] == []
