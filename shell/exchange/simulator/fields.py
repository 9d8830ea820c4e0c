"""Requests read: bodies as forms or JSON, and single arguments with Kraken's refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from shell.exchange.simulator.moments import SECOND_NS, parse_rfc3339
from shell.exchange.simulator.orders import PriceTerm, Relative
from shell.exchange.simulator.precision import number
from shell.exchange.simulator.refusal import Refusal, argument

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_TERM = re.compile(r"([+\-#]?)(\d+(?:\.\d*)?|\.\d+)(%?)", re.ASCII)
INT32 = 2**31
DEADLINE_MIN_NS, DEADLINE_MAX_NS = 0, 60 * SECOND_NS

Params = dict[str, Any]


def read_body(body: bytes, content_type: str) -> Params:
    """The arguments of a private request; numbers of JSON become Decimal. Raises Refusal."""
    text = body.decode("utf-8", "replace")
    if "json" in content_type.lower() or text.lstrip().startswith("{"):
        try:
            read = json.loads(text, parse_float=Decimal) if text.strip() else {}
        except (ValueError, RecursionError):
            raise Refusal("EGeneral:Invalid arguments") from None
        if not isinstance(read, dict):
            raise Refusal("EGeneral:Invalid arguments")
        return _unnested(read)
    return read_query(text)


def read_query(text: str) -> Params:
    """The arguments of a query string or a form; `close[price]` becomes a mapping within."""
    return _unnested(dict(parse_qsl(text, keep_blank_values=True)))


def _unnested(flat: Mapping[str, Any]) -> Params:
    """`a[b]` and `a[0][b]` as mappings within; a mapping keyed 0, 1, 2 as a list."""
    made: Params = {}
    for name, value in flat.items():
        match = _KEY.fullmatch(name)
        if match is None or not match[2]:
            made[name] = value
            continue
        path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
        within = made
        for step in path[:-1]:
            below = within.setdefault(step, {})
            if not isinstance(below, dict):
                raise argument(match[1])
            within = below
        last = path[-1] if path[-1] else str(len(within))
        within[last] = value
    return {name: _listed(value) for name, value in made.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inside = {name: _listed(each) for name, each in value.items()}
    keys = list(inside)
    return [inside[key] for key in keys] if keys and keys == [str(at) for at in range(len(keys))] else inside


def text_of(params: Mapping[str, Any], name: str) -> str | None:
    """A text argument; None when it is absent or empty. Raises Refusal."""
    value = params.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise argument(name)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def flag_of(params: Mapping[str, Any], name: str, default: bool = False) -> bool:
    """A yes or no as forms (`true`, `1`, `False`) and JSON write it. Raises Refusal."""
    value = params.get(name, default)
    if isinstance(value, bool):
        return value
    match str(value).strip().lower():
        case "true" | "1" | "yes":
            return True
        case "false" | "0" | "no" | "" | "none":
            return False
        case _:
            raise argument(name)


def int_of(params: Mapping[str, Any], name: str, default: int, low: int = 0, high: int = INT32) -> int:
    """A whole number within [low, high]. Raises Refusal."""
    text = text_of(params, name)
    if text is None:
        return default
    if not re.fullmatch(r"-?[0-9]{1,18}", text) or not low <= int(text) <= high:
        raise argument(name)
    return int(text)


def decimal_of(params: Mapping[str, Any], name: str) -> Decimal | None:
    """A plain decimal number; None when absent. Raises Refusal."""
    text = text_of(params, name)
    if text is None:
        return None
    found = number(text)
    if found is None:
        raise argument(name)
    return found


def price_of(params: Mapping[str, Any], name: str, *, second: bool = False) -> PriceTerm | None:
    """A price, perhaps relative (`+100`, `-1.5%`, `#2%`); None when absent. Raises Refusal."""
    text = text_of(params, name)
    if text is None:
        return None
    match = _TERM.fullmatch(text.strip())
    if match is None:
        raise Refusal(f"EOrder:Invalid price:Invalid {'secondary price' if second else 'price'} argument.")
    amount = Decimal(match[2])
    if not match[1] and not match[3]:
        return amount
    return Relative(sign=match[1] or "+", amount=amount, percent=bool(match[3]))


def when_of(params: Mapping[str, Any], name: str, now_ns: int) -> int:
    """`0`, unix seconds or `+seconds` as nanoseconds, 0 when absent. Raises Refusal."""
    text = text_of(params, name)
    if text is None:
        return 0
    ahead = text.startswith("+")
    value = number(text.removeprefix("+"))
    if value is None or value < 0:
        raise argument(name)
    length = int(value * SECOND_NS)
    return now_ns + length if ahead else length


def deadline_of(params: Mapping[str, Any], told_ns: int) -> int:
    """A deadline at most a minute ahead, 0 when absent. Raises Refusal; one in the past is judged by the engine."""
    value = params.get("deadline")
    if value is None or value == "":
        return 0
    found = parse_rfc3339(value)
    if found is None or found > told_ns + DEADLINE_MAX_NS:
        raise argument("deadline")
    return found


def names_of(params: Mapping[str, Any], name: str, most: int) -> list[str]:
    """A comma list or a JSON list of texts, at most so many. Raises Refusal."""
    value = params.get(name)
    if value is None or value == "":
        return []
    parts = value if isinstance(value, list) else str(value).split(",")
    if len(parts) > most or not all(isinstance(part, str | int) for part in parts):
        raise argument(name)
    return [str(part).strip() for part in parts if str(part).strip()]
