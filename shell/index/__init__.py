"""The strategy index: every version and candidate, where it came from, how it fared, and whether an idea was had before."""
