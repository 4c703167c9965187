"""Subscribers: consent, segments, suppression, tokens. Decides; touches nothing."""
