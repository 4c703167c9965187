"""Reading: discovery, robots, pages, extraction and duplicates. Decides; touches nothing."""
