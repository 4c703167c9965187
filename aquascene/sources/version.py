"""The name and version of the extractor, written on each document; apart, because importing the parsers takes a third of a second."""

from importlib.metadata import version

EXTRACTOR = f"aquascene-1+trafilatura-{version('trafilatura')}"
