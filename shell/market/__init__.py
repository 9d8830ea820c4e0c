"""Market data: tiers, pairs, the book every engine reads, the candle store, history and synthetic markets."""
