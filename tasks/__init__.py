"""Steps: each loads ids, calls one adapter or domain function, saves, and returns ids; idempotent and short."""
