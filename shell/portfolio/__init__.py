"""What is held and what it is worth: the ledger (pure), valuation, reconciliation."""
