"""Ways to fetch a page."""
