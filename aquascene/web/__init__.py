"""Faces people: API, review desk, dashboard, public pages, webhooks. Imports no flow code."""
