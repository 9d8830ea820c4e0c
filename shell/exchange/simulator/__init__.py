"""A local Kraken: REST and WebSocket v2 with books of its own, written without a line of the client's code."""
