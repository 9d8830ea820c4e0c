"""What every test stands on: a quiet, private Prefect, a printed seed, a steady hypothesis, real prices if any."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

PROJECT = Path(__file__).resolve().parent.parent
# "compiled": the tests run against the compiled core (`tests/faults/compiled.py`), which has to come before any import of ours.
CORE_VARIABLE = "BRAIN_TEST_CORE"
if os.environ.get(CORE_VARIABLE) == "compiled":
    sys.path.insert(0, str(PROJECT / ".compiled"))

from shell.compiled import core  # noqa: E402
from shell.store import migrations  # noqa: E402
from tests.schema import recorded  # noqa: E402

# Before anything imports prefect: no reports home, no server or profile of this machine's user, a home of our own.
_prefect_home = tempfile.mkdtemp(prefix="prefect-home-")
atexit.register(shutil.rmtree, _prefect_home, ignore_errors=True)
for _name in ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
    os.environ.pop(_name, None)
os.environ.update(
    PREFECT_HOME=_prefect_home,
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    DO_NOT_TRACK="1",
    PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW="ignore",
)

SEED = int(os.environ.get("BRAIN_TEST_SEED", "7"))

# `steady` tries the same examples every time, so that a failure belongs to the change at hand; `search` tries new ones.
settings.register_profile("steady", derandomize=True, max_examples=60, deadline=None, print_blob=True)
settings.register_profile("search", max_examples=500, deadline=None, print_blob=True)
_profile = os.environ.get("BRAIN_HYPOTHESIS_PROFILE", "steady")
settings.load_profile(_profile)

migrations.upgrade = recorded(migrations.upgrade)


def pytest_report_header() -> str:
    return f"seed {SEED} (BRAIN_TEST_SEED), hypothesis profile {_profile} (BRAIN_HYPOTHESIS_PROFILE: steady, search), {core()} core"


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of whatever a test draws itself; shown in the report's header."""
    return SEED


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the source tree."""
    return PROJECT


@pytest.fixture(scope="session")
def market_data() -> Path:
    """A folder with real candles, one folder a venue; tests that need it are skipped where there is none."""
    named = os.environ.get("BRAIN_MARKET_DATA")
    folder = Path(named) if named else PROJECT.parent / "shared" / "market"
    if not folder.is_dir():
        pytest.skip(f"no market data at {folder}: set BRAIN_MARKET_DATA to a folder of candles")
    return folder
