"""Steps of the housekeeping flow."""

from datetime import timedelta

from prefect import task

from aquascene.adapters import clock
from aquascene.adapters.postgres import housekeeping as rows
from aquascene.adapters.postgres.db import transaction
from tasks import retries

_KEY_LIFE = timedelta(days=7)


@task(task_run_name="remove-expired", **retries.DATABASE)
def remove_expired() -> dict[str, int]:
    """Delete expired tokens and old idempotency keys; repeatable."""
    now = clock.now()
    with transaction() as db:
        return {"used_token": rows.delete_expired_tokens(db, now), "idempotency_key": rows.delete_old_keys(db, now - _KEY_LIFE)}
