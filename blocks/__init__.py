"""Secrets and accounts that an operator rotates at run time: typed Prefect blocks, each with fields and one getter."""
