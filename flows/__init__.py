"""Scheduled jobs as Prefect flows, one file each; every one reads like a table of contents of its tasks."""
