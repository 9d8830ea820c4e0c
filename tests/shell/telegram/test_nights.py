"""What /night answers: the newest night with every remark, and no older one in the place of one that failed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shell.calls import Calls
from shell.clock import VirtualClock
from shell.config import Settings
from shell.home import Home
from shell.store.store import Store
from shell.telegram.books import Reader
from shell.telegram.nights import night

# Midnight in New York, and an hour after the window's end there.
AT, LATER = datetime(2026, 3, 3, 5, tzinfo=UTC), datetime(2026, 3, 3, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "missing"),
    [(LATER, ""), (datetime(2026, 3, 4, 6, tzinfo=UTC), ""), (datetime(2026, 3, 4, 8, 30, tzinfo=UTC), "The night of 2026-03-04")],
)
def test_the_newest_night_is_told_with_its_remarks_and_a_later_one_that_failed_is_missed(
    tmp_path: Path, now: datetime, missing: str
) -> None:
    home = Home.private(tmp_path).create()
    with Store.open(home.database) as store:
        told = {"decision": "no change", "reasons": ["the search rests"], "remarks": ["anthropic answered 401"]}
        store.nights.record("2026-03-03", told, AT)
    reader = Reader(home=home, settings=Settings(), clock=VirtualClock(now), calls=Calls(), links=lambda: ())
    html = night(reader, "").html
    assert "Night of 2026-03-03" in html and "· anthropic answered 401" in html
    assert html.startswith(missing or "<b>Night"), html
    assert ("left no record" in html) == bool(missing)
    assert "left no record" not in night(reader, "2026-03-03").html
