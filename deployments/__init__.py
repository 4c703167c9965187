"""Where flows run: embedded runner, work pools, limits, automations, and what keeps a server equal to the repository."""
