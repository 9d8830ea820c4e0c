"""What a model answers is read strictly, and everything else refused with a sentence it can act on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.trials.candidate import ChangeClass
from tasks.ai.dialogue import Unusable
from tasks.ai.replies import CODE_MAX, OPINION_SCHEMA, PLAN_SCHEMA, read_manuscript, read_opinion, read_plan
from tests.tasks.ai.answers import OPINION, PLAN, finding


def test_a_plan_is_read_also_from_one_fence() -> None:
    plan = read_plan(json.dumps(PLAN))
    assert (plan.change, plan.kind, plan.bound, plan.due_days) == (ChangeClass.RESTRUCTURE, "restructure", 100.0, 3)
    assert read_plan(f"```json\n{json.dumps(PLAN)}\n```") == plan
    assert read_plan(json.dumps({**PLAN, "decision": "no change", "direction": ""})).change is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"decision": "liquidate"}, "decision is none of"), ({"extra": 1}, "exactly the keys"), ({"metric": "vault"}, "metric is none"),
        ({"due_days": 91}, "between 1 and 90"), ({"due_days": 1.5}, "no integer"), ({"due_days": True}, "no integer"),
        ({"bound": 10**400}, "between"), ({"bound": "2"}, "no number"), ({"hypothesis": " "}, "hypothesis is empty"),
        ({"direction": ""}, "direction is empty"), ({"reasoning": "x" * 3000}, "3000 characters"), ({"refuted_if": None}, "no string"),
    ],
)
def test_a_plan_of_another_form_is_refused(changes: dict[str, object], why: str) -> None:
    with pytest.raises(Unusable, match=why):
        read_plan(json.dumps({**PLAN, **changes}))


@pytest.mark.parametrize("text", ["", "no change", "[]", '{"a": NaN}', "{" * 5000, json.dumps(PLAN) * 2, "null"])
def test_what_is_not_one_object_is_refused(text: str) -> None:
    with pytest.raises(Unusable):
        read_plan(text)


def test_an_opinion_is_read_and_bounded() -> None:
    given_one = {**OPINION, "findings": [finding(), finding(severity="advice")]}
    assert [each.matters for each in read_opinion(json.dumps(given_one)).objections] == [True, False]
    for wrong in ({"findings": [finding()] * 21}, {"findings": [finding(code="FINE")]}, {"class": "none"},
                  {"findings": [{"file": "x"}]}, {"findings": [finding(line=-1)]}):
        with pytest.raises(Unusable):
            read_opinion(json.dumps({**OPINION, **wrong}))


GOOD = "<hypothesis>\nwhy\n</hypothesis>\n<strategy>\nx = 1\n</strategy>\n"


def test_a_manuscript_is_its_tagged_sections() -> None:
    read = read_manuscript(f'Here it is.\n{GOOD}<skill name="slope">\n```python\ndef f(): ...\n```\n</skill>')
    assert (read.hypothesis, read.code, dict(read.skills)) == ("why", "x = 1\n", {"slope": "def f(): ...\n"})
    quoted = GOOD.replace("x = 1", 'x = "a <strategy> inside a line"')
    assert read_manuscript(quoted).code.startswith("x = ")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (GOOD * 2, "more than once"), (GOOD.replace("</strategy>", ""), "not closed"), (GOOD.replace("why", ""), "no <hypothesis>"),
        (GOOD.replace("<strategy>\n", "<strategy>\n<strategy>\n</strategy>\n"), "do not nest"),
        (GOOD + '<skill name="../../config/settings">\nx\n</skill>', "not the name of a skill"),
        (GOOD + '<skill name="__init__">\nx\n</skill>', "not the name of a skill"),
        (GOOD + "<skill>\nx\n</skill>", "not the name of a skill"),
        (GOOD + '<skill name="a">\nx\n</skill>\n<skill name="a">\nx\n</skill>', "twice"),
        (GOOD.replace("x = 1", "x = 1\n" * (CODE_MAX // 6 + 1)), "at most"),
    ],
)
def test_a_manuscript_of_another_form_is_refused(text: str, why: str) -> None:
    with pytest.raises(Unusable, match=why):
        read_manuscript(text)


@given(st.text(max_size=200))
def test_no_text_breaks_a_reader(text: str) -> None:
    for read in (read_plan, read_opinion, read_manuscript):
        try:
            read(text)
        except Unusable:
            continue


def test_schemas_say_what_the_provider_needs_of_them() -> None:
    """Every object closed and every key required: that is what structured output asks for."""
    for schema in (PLAN_SCHEMA, OPINION_SCHEMA, OPINION_SCHEMA["properties"]["findings"]["items"]):
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])
