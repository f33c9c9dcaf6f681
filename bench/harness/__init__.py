"""The parts of the echo bench; `bench/run.py` puts them together."""
