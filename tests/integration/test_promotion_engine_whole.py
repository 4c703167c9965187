"""Everything that the engine's tests ask in memory, asked over PostgreSQL."""

import pytest

from tests.promotion_database import ledger_engine, ledger_template, ledger_url, over_postgres, quick_ledgers  # noqa: F401 - fixtures
from tests.unit.release.test_engine import *  # noqa: F403

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("over_postgres")]
