"""The equity picture: every point inside its frame, whatever the values, and an address that holds the whole of it."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from flows.picture import HEIGHT, LEFT, RIGHT, TOP, WIDTH, data_uri, equity_svg, told

BEGINS = datetime(2026, 3, 1, tzinfo=UTC)


def points_of(values: list[float]) -> list[tuple[datetime, float]]:
    return [(BEGINS + timedelta(hours=hour), value) for hour, value in enumerate(values)]


@given(st.lists(st.floats(min_value=-1e9, max_value=1e9), min_size=2, max_size=60))
def test_every_point_lies_inside_the_frame(values: list[float]) -> None:
    svg = equity_svg(points_of(values))
    ElementTree.fromstring(svg)
    drawn = re.search(r'points="([^"]*)"', svg)
    assert drawn is not None
    places = [tuple(map(float, each.split(","))) for each in drawn.group(1).split()]
    assert len(places) == len(values)
    assert all(LEFT <= x <= WIDTH - RIGHT and TOP - 0.1 <= y <= HEIGHT for x, y in places)
    # Higher is further up.
    assert min(places, key=lambda place: place[1])[1] == places[values.index(max(values))][1]


def test_the_address_holds_the_picture_and_its_words_say_the_same() -> None:
    points = points_of([10_000.0, 9_500.5, 10_250.25])
    kind, _, content = data_uri(equity_svg(points)).partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content).decode() == equity_svg(points)
    sentence = "Equity 10,250.25 after 0.1 days that began with 10,000.00; lowest 9,500.50, highest 10,250.25"
    assert told(points) == sentence
    assert sentence in equity_svg(points)
