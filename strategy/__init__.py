"""The agent's workspace: the active strategy, its archive, the skills it may import, and the strategy document."""
