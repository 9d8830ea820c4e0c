"""Nonces: every one above all before it, whatever the clock, a crash or another thread does."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.errors import BadInput, Fatal
from shell.exchange.kraken import nonce as module
from shell.exchange.kraken.nonce import LARGEST, NANOSECONDS, RESERVED, NonceSource, nonce_file
from shell.secrets import Secret
from tests.shell.exchange.kraken.times import START, HandClock

KEY = Secret("the-public-half-of-a-key")


@given(
    st.lists(
        st.one_of(
            st.integers(1, 40).map(lambda count: ("take", count)),
            st.floats(-7200, 7200).map(lambda seconds: ("step", seconds)),
            st.just(("restart", 0)),
        ),
        max_size=40,
    )
)
def test_it_grows_through_clock_steps_and_restarts(script: list[tuple[str, float]]) -> None:
    clock = HandClock()
    with tempfile.TemporaryDirectory() as folder:
        path = nonce_file(Path(folder), KEY)
        source, given_out = NonceSource(path, clock), [0]
        for what, amount in script:
            if what == "take":
                given_out += [source.next() for _ in range(int(amount))]
            elif what == "step":
                clock.step(amount)
            else:
                source = NonceSource(path, clock)
        assert all(later > earlier for earlier, later in zip(given_out, given_out[1:], strict=False))


def test_it_is_the_time_in_nanoseconds_while_nothing_stands_against_it(tmp_path: Path) -> None:
    source = NonceSource(tmp_path / "nonce", HandClock())
    assert source.next() == int(START.timestamp()) * NANOSECONDS
    assert source.next() == int(START.timestamp()) * NANOSECONDS + 1


def test_the_ceiling_is_on_disk_before_a_number_is_given_out(tmp_path: Path) -> None:
    clock, path = HandClock(), tmp_path / "nonce"
    source = NonceSource(path, clock)
    for step in (0, 1, 3, 4, 7200, -100, 90):
        clock.step(step)
        taken = source.next()
        assert taken <= int(path.read_text()) <= taken + RESERVED


def test_as_much_as_is_asked_for_is_reserved_at_a_time(tmp_path: Path) -> None:
    clock, path = HandClock(), tmp_path / "nonce"
    source = NonceSource(path, clock, reserved=100 * NANOSECONDS)
    ceilings = []
    for _ in range(5):
        taken = source.next()
        ceilings.append(int(path.read_text()))
        assert taken <= ceilings[-1] == max(ceilings)
        clock.step(40)
    assert len(set(ceilings)) == 2


def test_threads_never_get_the_same_number(tmp_path: Path) -> None:
    source = NonceSource(tmp_path / "nonce", HandClock())
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: source.next(), range(4000)))
    assert len(set(taken)) == 4000


@pytest.mark.parametrize("content", ["", "twelve", "-5", "1e9", str(2**64), "\xe9"])
def test_a_file_that_holds_no_number_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "nonce").write_text(content, encoding="latin-1")
    with pytest.raises(BadInput, match="nonce"):
        NonceSource(tmp_path / "nonce", HandClock())


def test_what_cannot_be_kept_is_not_given_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = NonceSource(tmp_path / "nonce", HandClock())
    first = source.next()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"{module.__name__}.os.fsync", full)
    assert source.next() == first + 1, "still below the ceiling on disk"
    source._clock.step(60)  # type: ignore[attr-defined]
    with pytest.raises(Fatal, match="No space left"):
        source.next()


def test_it_ends_before_it_would_wrap(tmp_path: Path) -> None:
    (tmp_path / "nonce").write_text(str(LARGEST - 1))
    source = NonceSource(tmp_path / "nonce", HandClock(datetime(2026, 1, 1, tzinfo=UTC)))
    assert source.next() == LARGEST
    with pytest.raises(Fatal, match="new key"):
        source.next()


def test_the_file_of_a_key_does_not_tell_it() -> None:
    path = nonce_file(Path("/tmp"), KEY)
    assert "public" not in path.name and path != nonce_file(Path("/tmp"), Secret("another"))
