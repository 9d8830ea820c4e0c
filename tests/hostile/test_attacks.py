"""Every hostile module twice: behind the walls it wins nothing, without them it wins what it was after."""

from __future__ import annotations

import sys

import pytest

from tests.hostile.catalogue import Attack, attacks
from tests.hostile.runs import all_unwalled, all_walled
from tests.hostile.walled import HARMLESS, Outcome

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the walls are those of Linux")

# Of a class with more attacks than this every second one; `make faults` makes them all, variants included.
FEW = 20


def of_every_class(known: list[Attack]) -> list[Attack]:
    """What there is time for in each class."""
    found: list[Attack] = []
    for module in dict.fromkeys(attack.module for attack in known):
        mine = [attack for attack in known if attack.module == module and not attack.thorough]
        found += mine[::2] if len(mine) > FEW else mine
    return found


ATTACKS = of_every_class(attacks())


@pytest.fixture(scope="module")
def wanted(request: pytest.FixtureRequest) -> dict[str, list[Attack]]:
    """The attacks of the selected tests, by the name of the parameter that asks for them."""
    found: dict[str, list[Attack]] = {"walled": [], "unwalled": []}
    for item in request.session.items:
        for name, value in getattr(getattr(item, "callspec", None), "params", {}).items():
            if name in found and isinstance(value, Attack):
                found[name].append(value)
    return found


@pytest.fixture(scope="module")
def with_walls(wanted: dict[str, list[Attack]]) -> dict[Attack, Outcome]:
    return all_walled(wanted["walled"])


@pytest.fixture(scope="module")
def without_walls(wanted: dict[str, list[Attack]]) -> dict[Attack, Outcome]:
    return all_unwalled(wanted["unwalled"])


@pytest.mark.parametrize("walled", ATTACKS, ids=str)
def test_no_attack_gets_through(walled: Attack, with_walls: dict[Attack, Outcome]) -> None:
    outcome = with_walls[walled]
    assert outcome.won == set(), f"{outcome.how}: {outcome.text}"
    assert outcome.how in HARMLESS, outcome.text


@pytest.mark.parametrize("unwalled", ATTACKS, ids=str)
def test_the_attack_works_without_the_walls(unwalled: Attack, without_walls: dict[Attack, Outcome]) -> None:
    outcome = without_walls[unwalled]
    if unwalled.lacks and unwalled.prize not in outcome.won and "failed:" in outcome.text:
        pytest.skip(f"{unwalled.lacks}: {outcome.text[:200]}")
    assert unwalled.prize in outcome.won, f"{outcome.how}: {outcome.text}"
