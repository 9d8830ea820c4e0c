"""The connection to Kraken's spot market: REST and WebSocket v2, from bytes to typed values and back."""
