"""Adapters of promotion's ports that are not targets; `parts` picks them by the names in config/environments.yaml."""
