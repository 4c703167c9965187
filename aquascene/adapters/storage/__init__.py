"""Object stores behind the storage port."""
