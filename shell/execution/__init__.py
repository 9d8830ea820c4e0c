"""The order life cycle and its journal."""
