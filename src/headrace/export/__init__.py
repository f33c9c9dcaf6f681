"""The files that put a server into a container, a cluster or systemd's hands."""
