"""The aquascene command."""
