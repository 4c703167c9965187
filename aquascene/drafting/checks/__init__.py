"""Checks of statements and of whole texts; each returns findings, none a score."""
