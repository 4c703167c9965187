"""Tests with a real Docker engine: `make test-engine`."""
