"""Signing: the vector of Kraken's documentation, and a key that is not one."""

from __future__ import annotations

import pytest

from shell.errors import BadInput
from shell.exchange.kraken.signing import Credentials, sign
from shell.secrets import Secret

SECRET = Secret("kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==")
BODY = b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"


def test_the_documented_vector() -> None:
    signed = sign("/0/private/AddOrder", 1616492376594, BODY, SECRET)
    assert signed == "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="


@pytest.mark.parametrize(
    ("path", "nonce", "body"),
    [
        ("/0/private/CancelOrder", 1616492376594, BODY),
        ("/0/private/AddOrder", 1616492376595, BODY),
        ("/0/private/AddOrder", 1616492376594, BODY + b"0"),
    ],
)
def test_everything_that_is_sent_is_signed(path: str, nonce: int, body: bytes) -> None:
    assert sign(path, nonce, body, SECRET) != sign("/0/private/AddOrder", 1616492376594, BODY, SECRET)


@pytest.mark.parametrize("text", ["not base64!", "abc", "kQH5HW/8p1uGOVjbgWA7"[:-1], "ключ"])
def test_a_secret_that_is_none_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        Credentials(key=Secret("key"), secret=Secret(text))
    assert text not in str(refused.value) and "KRAKEN_API_SECRET" in str(refused.value)
    assert "key" not in repr(Credentials(key=Secret("a-public-half"), secret=SECRET)).replace("key=Secret", "")
