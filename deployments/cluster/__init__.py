"""Searches, walk-forwards and null tests on a Dask cluster: more machines, the same results."""
