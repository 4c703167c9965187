"""Releases and promotion. Decides; touches nothing."""
