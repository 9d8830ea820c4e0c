"""The null twin: the real search, host and gate on markets without an edge, to count how often luck is promoted."""
