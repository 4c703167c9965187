"""Scripts of the project; run from its root as `python -m scripts.<name>` or as files."""
