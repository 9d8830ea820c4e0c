"""`brain up`: the shell, and beside it what makes its work visible. Trading needs only the first of them (D1)."""
