"""Backup and restore of a home: everything that cannot be made again, in one folder with a manifest."""
