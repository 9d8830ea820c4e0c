"""What the simulated exchange says when it says no: Kraken's own error strings, never a sentence of ours."""

from __future__ import annotations


class Refusal(Exception):
    """An answer `{"error": [text]}`. The text is one of Kraken's, such as `EOrder:Insufficient funds`."""

    def __init__(self, *errors: str) -> None:
        self.errors = errors
        super().__init__(", ".join(errors))


INVALID_KEY = "EAPI:Invalid key"
INVALID_SIGNATURE = "EAPI:Invalid signature"
INVALID_NONCE = "EAPI:Invalid nonce"
API_RATE = "EAPI:Rate limit exceeded"
LOCKOUT = "EGeneral:Temporary lockout"
PERMISSION = "EGeneral:Permission denied"
UNKNOWN_METHOD = "EGeneral:Unknown method"
INVALID_ARGUMENTS = "EGeneral:Invalid arguments"
UNKNOWN_PAIR = "EQuery:Unknown asset pair"
UNKNOWN_ASSET = "EQuery:Unknown asset"
UNKNOWN_ORDER = "EOrder:Unknown order"
INVALID_ORDER = "EOrder:Invalid order"
FUNDS = "EOrder:Insufficient funds"
POST_ONLY = "EOrder:Post only order"
ORDERS_LIMIT = "EOrder:Orders limit exceeded"
ORDER_RATE = "EOrder:Rate limit exceeded"
TICK_SIZE = "EOrder:Tick size check failed"
VOLUME_MINIMUM = "EGeneral:Invalid arguments:volume minimum not met"
COST_MINIMUM = "EOrder:Cost minimum not met"
DUPLICATE_CL_ORD_ID = "EGeneral:Invalid arguments:cl_ord_id"
DEADLINE = "EService:Deadline elapsed"
UNAVAILABLE = "EService:Unavailable"
CANCEL_ONLY = "EService:Market in cancel_only mode"
POST_ONLY_MODE = "EService:Market in post_only mode"
INVALID_SESSION = "ESession:Invalid session"


def argument(name: str) -> Refusal:
    """The refusal of one argument, named as Kraken names it."""
    return Refusal(f"{INVALID_ARGUMENTS}:{name}")
