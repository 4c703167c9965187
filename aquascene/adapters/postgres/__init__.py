"""Tables and the only SQL in the product: one query module per stage, `db` first, never commits."""
