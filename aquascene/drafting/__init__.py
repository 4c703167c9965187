"""Drafting: evidence, prompts, structured drafts, checks and prices. Decides; touches nothing."""
