"""Slots that all runs share: one per call chain to a provider of language models, held on the Prefect server."""

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.concurrency.sync import concurrency
from prefect.runtime import flow_run


@contextmanager
def model_slot(provider: str) -> Iterator[None]:
    """Hold a slot of `llm-<provider>` while drafting; outside a run, and where no such limit is defined, all may go."""
    if flow_run.get_id() is None:
        yield
        return
    with concurrency(f"llm-{provider}", occupy=1):
        yield
