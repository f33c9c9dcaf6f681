"""The event loop around the engine: events in, actions out."""
