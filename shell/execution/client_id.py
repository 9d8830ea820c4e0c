"""Client order ids: what an order is known by at the venue before the venue has named it (D9).

A UUID of version 8 (RFC 9562, section 5.8), because Kraken documents UUIDs without doubt and short free text less so. Its
first four digits say that this program made it, the next four which home did: `7b4a` + mark + digest of the intent's id. The
same intent always gives the same id. Two homes on one account give different ones, so each sees the other.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

MADE_HERE: Final = "7b4a"
NO_MARK: Final = "0000"
_MARK = re.compile(r"[0-9a-f]{4}")
_SHAPE = re.compile(rf"{MADE_HERE}([0-9a-f]{{4}})-[0-9a-f]{{4}}-8[0-9a-f]{{3}}-8[0-9a-f]{{3}}-[0-9a-f]{{12}}")


def client_order_id(intent_id: str, mark: str = NO_MARK) -> str:
    """The client order id of an intent. `mark` is the home's, four hexadecimal digits. Raises ValueError for another."""
    if not _MARK.fullmatch(mark):
        raise ValueError(f"a home's mark is four hexadecimal digits, not {mark!r}")
    digest = hashlib.sha256(intent_id.encode()).hexdigest()
    return f"{MADE_HERE}{mark}-{digest[:4]}-8{digest[4:7]}-8{digest[7:10]}-{digest[10:22]}"


def mark_of(cl_ord_id: str | None) -> str | None:
    """The mark of the home that made this id; None for an id of anybody else's making.

    A random UUID looks like one of ours once in a quarter of a million (four digits, and version 8 where most have 4).
    """
    found = _SHAPE.fullmatch(cl_ord_id.lower()) if cl_ord_id is not None else None
    return None if found is None else found.group(1)
