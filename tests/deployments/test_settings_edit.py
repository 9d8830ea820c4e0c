"""Settings are changed key by key: everything else in the file stays as its owner wrote it, or nothing is changed."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.settings_edit import edited, env_with, literal, write_private
from shell.errors import BadInput


def test_only_the_named_lines_of_the_shipped_file_change(project: Path) -> None:
    before = (project / "config" / "settings.toml").read_text()
    after = edited(before, {"account.symbols": ["BTC/EUR"], "account.quote": "EUR", "telegram.owner_ids": [7], "mode": "live"})
    changed = [(old, new) for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    assert [new for _, new in changed] == ['mode = "live"', 'quote = "EUR"', 'symbols = ["BTC/EUR"]', "owner_ids = [7]"]


def test_a_key_that_is_not_there_is_added_in_its_section() -> None:
    assert edited("[a]\nx = 1\n# end of a\n\n[b]\ny = 2\n", {"a.z": 3, "c.w": "new"}) == (
        '[a]\nx = 1\nz = 3\n# end of a\n\n[b]\ny = 2\n\n[c]\nw = "new"\n'
    )
    assert tomllib.loads(edited("[a]\nx = 1\n", {"mode": "live"})) == {"mode": "live", "a": {"x": 1}}


@pytest.mark.parametrize("text", ["[a]\nx = [\n  1,\n]\n", "[a]\nx = '''\n[b]\ny = 1\n'''\n[b]\ny = 2\n", "[a\n"])
def test_a_file_that_cannot_be_changed_safely_is_left_alone(text: str) -> None:
    with pytest.raises(BadInput, match="left alone"):
        edited(text, {"a.x": 2, "b.y": 3})


TEXT = st.text("a\"'\\\n\t#[]=$é\x00\x7f\u2028😀", max_size=12)


@given(value=st.one_of(TEXT, st.booleans(), st.integers(-(2**62), 2**62), st.lists(TEXT, max_size=4)))
def test_a_value_reads_back_as_itself(value: str | bool | int | list[str]) -> None:
    assert tomllib.loads(f"x = {literal(value)}")["x"] == value


def test_secrets_are_set_beside_what_is_there_and_read_by_their_owner_alone(tmp_path: Path) -> None:
    before = "# mine\nKRAKEN_API_KEY=old\nOTHER=1\n"
    assert env_with(before, {"KRAKEN_API_KEY": "new", "TELEGRAM_BOT_TOKEN": "1:abc"}) == (
        "# mine\nKRAKEN_API_KEY=new\nOTHER=1\nTELEGRAM_BOT_TOKEN=1:abc\n"
    )
    file = tmp_path / "folder" / ".env"
    write_private(file, "A=1\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(file.parent) == [".env"]


@pytest.mark.parametrize("value", ["", "two words", 'quo"te', "a#b", "dollar$x", "line\nbreak"])
def test_a_secret_that_was_copied_badly_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(BadInput) as refused:
        env_with("", {"KRAKEN_API_KEY": value})
    assert not value or value not in str(refused.value)
