"""What touches the world: database, network, files, providers. Errors of libraries are translated here."""
