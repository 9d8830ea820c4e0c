"""Ground truth: what a book did, from its fills, trades and equity marks. Rigid, pure, and the only place that computes it."""
