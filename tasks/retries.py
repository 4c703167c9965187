"""Retry policies by name, splatted into @task(**retries.NETWORK); the error class decides, not the task."""

from typing import Any

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from aquascene.errors import is_transient


def _if_transient(task: "Task[..., Any]", task_run: TaskRun, state: State[Any]) -> bool:
    """Retry only what the error tree calls transient."""
    outcome = state.result(raise_on_failure=False)
    return isinstance(outcome, BaseException) and is_transient(outcome)


def _policy(retries: int, timeout_seconds: float, backoff_factor: float) -> dict[str, Any]:
    return {
        "retries": retries,
        "retry_delay_seconds": exponential_backoff(backoff_factor=backoff_factor),
        "retry_jitter_factor": 0.3,
        "retry_condition_fn": _if_transient,
        "timeout_seconds": timeout_seconds,
        "persist_result": False,
    }


NETWORK = _policy(retries=3, timeout_seconds=1800, backoff_factor=2)
MODEL = _policy(retries=2, timeout_seconds=1800, backoff_factor=5)
SEND = _policy(retries=2, timeout_seconds=7200, backoff_factor=5)
DATABASE = _policy(retries=3, timeout_seconds=600, backoff_factor=1)
ONCE = _policy(retries=0, timeout_seconds=600, backoff_factor=1)
