"""The front door: what a request meets before and after the model."""
