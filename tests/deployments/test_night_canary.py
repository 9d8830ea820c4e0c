"""A night with a model that answers with the key it was sent: the key is in no record, not even in Prefect's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from typer.testing import CliRunner

from deployments.cli.main import app
from shell.market.synthetic import synthetic_market
from tests.shell.telegram.test_canary import CANARIES, files_of, leaks
from tests.tasks.ai.messages_server import Refuse, serving
from tests.thorough import thorough

START = datetime(2026, 1, 1, tzinfo=UTC)


@thorough
def test_no_secret_is_in_prefects_records_the_home_or_what_is_said(tmp_path: Path) -> None:
    home, data = tmp_path / "home", tmp_path / "data"
    data.mkdir()
    for symbol, frame in synthetic_market(3, ["BTC/USD", "ETH/USD", "SOL/USD"], START, 60).m5.items():
        frame.write_parquet(data / f"{symbol.replace('/', '-')}_5m.parquet")
    assert CliRunner().invoke(app, ["data", "import", str(data), "--home", str(home)]).exit_code == 0
    with serving() as server:
        key = CANARIES["anthropic_api_key"]
        server.otherwise = Refuse(status=401, kind=f"authentication_error: {key} is not known")
        environment = {name.upper(): text for name, text in CANARIES.items() if name != "brain_database_url"}
        done = subprocess.run(
            [sys.executable, "-m", "deployments.cli.main", "run", "orchestrate", "--home", str(home), "--json",
             "--param", "provider=anthropic"],
            env={**os.environ, **environment, "ANTHROPIC_BASE_URL": server.url},
            capture_output=True, text=True, timeout=280, check=False,
        )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert any(key in " ".join(headers.values()) for _, _, headers in server.requests), "the key was not even used"
    places = files_of(home)
    # The run's name stands where its parameters do: what is searched holds Prefect's records.
    assert any(b"orchestrate 2026-0" in content for name, content in places.items() if name.startswith("prefect/")), sorted(places)
    places |= {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    places |= {f"request {number}": json.dumps(body).encode() for number, (_, body, _) in enumerate(server.requests)}
    assert leaks(places) == []
