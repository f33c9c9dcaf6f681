"""The parts of the benches; `bench/run.py` puts them together."""
