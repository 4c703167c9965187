"""Adapters of promotion's ports that are not targets."""
