"""Migrations of the promotion ledger: a line of their own, which only ever adds."""
