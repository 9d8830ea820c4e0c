"""The control API: the shell's desk over HTTP, on a Unix socket that only its owner may open."""
