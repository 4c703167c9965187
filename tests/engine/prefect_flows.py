"""Flows that the containers of test_prefect_ha.py run: slow on purpose, and countable afterwards."""

import time

from prefect import flow, task


@task
def step(number: int, seconds: float) -> int:
    """Take some time."""
    time.sleep(seconds)
    return number


@flow
def count(steps: int = 20, seconds: float = 1.0) -> int:
    """Run steps one after the other and add them up."""
    return sum(step(number, seconds) for number in range(steps))
