"""A canary put in as a secret never comes out by any way but `reveal`."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import traceback
from pathlib import Path

import pytest

from shell.errors import BadInput
from shell.secrets import MASK, SECRET_NAMES, Secret, Secrets, load_secrets, read_environment

CANARY = "canary-5f3a/Zz+9=="


def test_a_secret_shows_nothing_of_itself() -> None:
    secret = Secret(CANARY)
    secrets = Secrets(kraken_api_key=secret)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{secret!r}", f"{secret!s:<3}"]
    shown += [format(secret, "x"), repr(secrets), str(secrets), str([secret]), str({"key": secret})]
    assert all(CANARY not in text and len(text) > 0 for text in shown)
    assert MASK in shown[0]
    assert secret.reveal() == CANARY


def test_a_secret_does_not_leave_in_a_traceback_or_a_log_record(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(CANARY)
    try:
        raise ValueError("refused", secret)
    except ValueError as error:
        told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        logging.getLogger("test").exception("with %s and %r", secret, {"key": secret})
    assert "secret = Secret(" in told, "the locals were captured, so the canary had its chance"
    assert CANARY not in told
    assert CANARY not in caplog.text


def test_a_secret_cannot_be_pickled_copied_or_made_json() -> None:
    secret = Secret(CANARY)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars):
        with pytest.raises(TypeError) as refused:
            attempt(secret)  # type: ignore[operator]
        assert CANARY not in str(refused.value)
    with pytest.raises(TypeError):
        pickle.dumps(Secrets(kraken_api_key=secret))


def test_a_secret_is_immutable_and_equals_only_a_secret() -> None:
    secret = Secret(CANARY)
    with pytest.raises(AttributeError):
        secret.text = "other"  # type: ignore[attr-defined]
    assert secret == Secret(CANARY)
    assert secret != Secret("other")
    assert secret != CANARY
    assert len({secret, Secret(CANARY)}) == 1
    assert not Secret("")


def test_the_environment_comes_before_the_file_and_stays_as_it_was(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    lines = ('KRAKEN_API_KEY="from file"', f"KRAKEN_API_SECRET={CANARY}${{HOME}}", "TELEGRAM_BOT_TOKEN=")
    env_file.write_text("\n".join(lines))
    before = dict(os.environ)
    secrets = load_secrets({"KRAKEN_API_KEY": " from environment ", "ANTHROPIC_API_KEY": ""}, env_file)
    assert secrets.kraken_api_key == Secret("from environment")
    assert secrets.kraken_api_secret == Secret(f"{CANARY}${{HOME}}"), "taken as written, nothing put in its place"
    assert secrets.telegram_bot_token is None
    assert secrets.anthropic_api_key is None
    assert len(secrets.known()) == 2
    assert dict(os.environ) == before


def test_a_missing_file_is_no_mistake_and_an_unreadable_one_is_told_without_its_content(tmp_path: Path) -> None:
    assert load_secrets({}, tmp_path / ".env") == Secrets()
    assert load_secrets({}) == Secrets()
    broken = tmp_path / "broken.env"
    broken.write_bytes(b"KRAKEN_API_KEY=" + CANARY.encode() + b"\xff\xfe\n")
    with pytest.raises(BadInput) as refused:
        load_secrets({}, broken)
    assert "not UTF-8" in str(refused.value)
    assert CANARY not in str(refused.value)
    assert refused.value.__cause__ is None


def test_every_secret_is_named_in_the_example_file(project: Path) -> None:
    example = (project / ".env.example").read_text()
    named = {line.split("=")[0] for line in example.splitlines() if "=" in line and not line.startswith("#")}
    assert named == set(SECRET_NAMES)
    assert load_secrets({}, project / ".env.example") == Secrets(), "the example holds no value"


def test_what_is_no_secret_is_read_alike_and_the_environment_wins(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("KRAKEN_REST_URL=http://127.0.0.1:1\nKRAKEN_WS_URL=ws://127.0.0.1:1\nOTHER=x\n")
    found = read_environment({"KRAKEN_REST_URL": "http://127.0.0.1:2"}, env_file, ["KRAKEN_REST_URL", "KRAKEN_WS_URL", "NONE"])
    assert found == {"KRAKEN_REST_URL": "http://127.0.0.1:2", "KRAKEN_WS_URL": "ws://127.0.0.1:1"}
