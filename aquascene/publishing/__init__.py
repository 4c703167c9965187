"""The public site: rendering, manifests, provenance. Decides; touches nothing."""
