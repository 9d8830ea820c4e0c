"""The trial ledger as Vertex experiments: what is sent, that it is sent once, and that it says plainly when it cannot be.

The SDK is real, over its REST transport; the other end is a stand-in on this machine. Google itself was never asked.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from shell.answers import Promotion, VersionRow
from shell.config_ai import VertexConfig
from shell.errors import BadInput, NotNow
from shell.secrets import Secret
from shell.trials.candidate import Candidate, ChangeClass, Stage, TrialScore, Verdict, source_hash
from tasks.ai.connect import ModelAccess
from tasks.ai.vertex_export import Champion, Run, champions_of, export, runs_of
from tests.tasks.memory_shell import NOW
from tests.tasks.sources import proposal, rule
from tests.thorough import thorough

ACCESS = ModelAccess(vertex_token=Secret("ya29.canary"))


def candidate(name: str, **changes: Any) -> Candidate:
    told = replace(proposal(rule(), provider="anthropic"), hypothesis="trends  last\n" + "x" * 400)
    return replace(
        Candidate(
            candidate_id=name, proposed_at=NOW, proposal=told, source_hash=source_hash(told.source),
            change_class=ChangeClass.TWEAK, stage=Stage.GATE, verdict=Verdict.REFUSED, reasons=("vault: lost 7 % in March",),
        ),
        **changes,
    )


def score(name: str, sharpe: float = 0.1) -> TrialScore:
    return TrialScore(
        candidate_id=name, segment="selection", scored_at=NOW + timedelta(hours=1), data_hash="d1", source_hash="s1",
        sharpe=sharpe, daily_returns=(0.01, -0.02), trades=5, total_return_pct=0.03,
    )


def version(name: str, parent: str) -> VersionRow:
    return VersionRow(version=name, hash="Ab12", parent=parent, hypothesis="trends last", promoted_at=NOW, state="active")


def test_every_counted_trial_is_a_run_and_nothing_of_the_vault_is_in_it() -> None:
    runs = runs_of([candidate("c0001"), candidate("c0002")], [score("c0002", 0.1), score("c0002", 0.2)])
    assert [run.name for run in runs] == ["c0002"], "what was never scored is no trial"
    [run] = runs
    assert run.metrics == {"daily_sharpe": 0.2, "total_return_pct": 0.03, "trades": 5.0, "days": 2.0}
    assert (run.params["provider"], run.params["verdict"]) == ("anthropic", "refused")
    assert len(str(run.params["hypothesis"])) == 300
    assert "vault" not in str(run) and "def " not in str(run)


def test_a_version_that_came_of_a_candidate_is_a_model_once() -> None:
    promotions = [
        Promotion(candidate_id=each, version=name, previous="v001", hash="h", at=NOW)
        for name, each in (("v002", "c0003"), ("v001", ""), ("v002", "c0003"))
    ]
    made = champions_of([version("v000", ""), version("v001", "v000"), version("v002", "v001")], promotions, "trading-brain")
    assert made == [Champion(
        name="trading-brain-v002", description="trends last", labels={"candidate": "c0003", "parent": "v001", "hash": "ab12"}
    )]


def test_it_is_off_until_somebody_turns_it_on_and_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotNow, match='export is "off"'):
        export([], [], VertexConfig(project_id="p"), ACCESS)
    with pytest.raises(NotNow, match="project_id"):
        export([], [], VertexConfig(export="on"), ACCESS)
    for name in ("google.cloud", "google.api_core.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NotNow, match="install the extra `vertex`"):
        export([], [], VertexConfig(project_id="p", export="on"), ACCESS)


@dataclass
class Vertex:
    """What the stand-in keeps: contexts (experiments and runs) and models by name, and every request."""

    url: str = ""
    contexts: dict[str, dict[str, Any]] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    refuses: int = 0
    waits_seconds: float = 0.0


@pytest.fixture
def vertex() -> Iterator[Vertex]:
    with standing_in() as state:
        yield state


@contextmanager
def standing_in() -> Iterator[Vertex]:
    """A server that answers as Vertex's metadata store and model registry do, until the block ends."""
    state = Vertex()

    class Handler(_Handler):
        desk = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    desk: Vertex
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        time.sleep(self.desk.waits_seconds)
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        parts = urlsplit(self.path)
        name = unquote(parts.path).removeprefix("/v1/")
        self.desk.requests.append((self.command, name, body))
        self.desk.tokens.add(self.headers.get("authorization", ""))
        status, told = self._found(name, body, parse_qs(parts.query))
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = _answer

    def _found(self, name: str, body: dict[str, Any], query: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        desk, absent = self.desk, {"error": {"code": 404, "message": "not there", "status": "NOT_FOUND"}}
        if desk.refuses:
            return desk.refuses, {"error": {"code": desk.refuses, "message": "no right to", "status": "PERMISSION_DENIED"}}
        if name.endswith("/metadataStores/default"):
            return 200, {"name": name}
        if name.endswith("/contexts"):
            made = f"{name}/{query['contextId'][0]}"
            desk.contexts[made] = {**body, "name": made}
            return 200, desk.contexts[made]
        if name.endswith(":addContextChildren"):
            for child in body["childContexts"]:
                desk.contexts[child].setdefault("parentContexts", []).append(name.partition(":")[0])
            return 200, {}
        if "/contexts/" in name:
            if name in desk.contexts and self.command == "PATCH":
                desk.contexts[name] |= body
            return (200, desk.contexts[name]) if name in desk.contexts else (404, absent)
        if name.endswith("models:upload"):
            made = f"{name.removesuffix('models:upload')}models/{body['modelId']}"
            desk.models[made] = {**body["model"], "name": made, "versionId": "1"}
            kind = "type.googleapis.com/google.cloud.aiplatform.v1.UploadModelResponse"
            return 200, {
                "name": f"{made}/operations/1", "done": True, "response": {"@type": kind, "model": made, "modelVersionId": "1"}
            }
        known = desk.models.get(name.partition("@")[0])
        return (200, known) if known else (404, absent)

    def log_message(self, *_: object) -> None:
        pass


@thorough
def test_an_export_over_the_real_sdk_is_sent_once_and_brought_up_to_date(vertex: Vertex) -> None:
    config = VertexConfig(project_id="a-project", export="on", api_endpoint=vertex.url)
    runs = runs_of([candidate("c0001"), candidate("c0002")], [score("c0001"), score("c0002")])
    champions = [Champion(name="trading-brain-v002", description="d", labels={"candidate": "c0002"})]
    first = export(runs, champions, config, ACCESS)
    assert (first.created, first.registered, first.unchanged) == (("c0001", "c0002"), ("trading-brain-v002",), 0)
    place = "projects/a-project/locations/us-east5/metadataStores/default/contexts/trading-brain"
    kept = vertex.contexts[f"{place}-c0001"]
    assert kept["schemaTitle"] == "system.ExperimentRun"
    assert kept["metadata"]["_metrics"] == {"daily_sharpe": 0.1, "total_return_pct": 0.03, "trades": 5.0, "days": 2.0}
    assert kept["metadata"]["_state"] == "COMPLETE"
    assert vertex.tokens == {"Bearer ya29.canary"}
    second = export(runs, champions, config, ACCESS)
    assert (second.created, second.updated, second.registered, second.unchanged) == ((), (), (), 3)
    changed = [replace(runs[0], params={**runs[0].params, "verdict": "promoted"}), Run(name="c0003", params={"a": "b"}, metrics={})]
    third = export(changed, [], config, ACCESS)
    assert (third.created, third.updated) == (("c0003",), ("c0001",))
    assert vertex.contexts[f"{place}-c0001"]["metadata"]["_params"]["verdict"] == "promoted"
    vertex.refuses = 403
    with pytest.raises(NotNow, match="Vertex did not take the export: 403.*no right to"):
        export(runs, [], config, ACCESS)
    with pytest.raises(BadInput, match="unencrypted"):
        export(runs, [], config.model_copy(update={"api_endpoint": "http://example.com"}), ACCESS)
