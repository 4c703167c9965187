"""Object stores by the scheme of their URL; `opening.open_store` picks one."""
