"""The page: a read-only dashboard of a home, served to a browser on this machine."""
