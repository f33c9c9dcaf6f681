"""Decides which request goes where, and when. No I/O, no clock, no chance of its own."""
