"""The newsletter: issues, campaigns, chunks, deliveries and their events. Decides; touches nothing."""
