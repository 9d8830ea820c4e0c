"""Risk: limits and their pure checks, approval of orders, persistent halts. The only maker of an `ApprovedOrder`."""
