"""Stand-ins for paid services that speak their true wire protocols, and a sample publication to read."""
