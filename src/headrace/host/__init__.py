"""The operating system: settings, sockets, devices, logs, and uvicorn."""
