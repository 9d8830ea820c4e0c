"""Package data: the page, its style and its script."""
