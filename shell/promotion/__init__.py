"""Paper trials, conformance, hot swap and rollback."""
