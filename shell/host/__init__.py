"""The strategy host: policy (wall 1), lockdown (wall 2), the child process, and its supervisor."""
