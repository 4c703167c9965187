"""Builds the real ports from settings, for tasks, cli and web; the one place that knows which adapter serves a port."""
