"""Running it elsewhere than under `brain up`: containers (compose.yaml, Dockerfile), systemd units, what they need of us."""
