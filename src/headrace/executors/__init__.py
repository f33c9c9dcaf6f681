"""Where a replica runs: in a process of its own, or in the worker itself."""
