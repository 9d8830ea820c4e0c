"""The gate: ordered arithmetic checks that alone decide whether a candidate goes on to a paper trial (D4)."""
