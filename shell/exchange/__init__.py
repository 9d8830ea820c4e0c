"""Where orders go: the gateway protocol and its implementations."""
