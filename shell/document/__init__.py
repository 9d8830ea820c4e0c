"""The strategy document: its notes, its limits, what may never stand in it, and what is kept of it when it grows old."""
