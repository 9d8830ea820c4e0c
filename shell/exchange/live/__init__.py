"""The live gateway: approved orders to Kraken and back, one intent at most one order, whatever gets lost on the way."""
