"""The comparison harness; bench/run.py is its entry point."""
