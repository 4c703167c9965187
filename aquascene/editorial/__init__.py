"""The editor's part: reviews, verdicts, roles. Decides; touches nothing."""
