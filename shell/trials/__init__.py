"""Candidates and the append-only ledger of trials; the segments of history they are scored on."""
