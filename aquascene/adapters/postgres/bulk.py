"""Many rows as one parameter: psycopg spends more time on ten thousand placeholders than PostgreSQL on the rows."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, TableValuedAlias, column, func, literal
from sqlalchemy.dialects.postgresql import JSONB


def recordset(table: Table, names: Sequence[str], rows: Sequence[dict[str, Any]]) -> TableValuedAlias:
    """Make rows (JSON's types only) selectable with the column types of a table."""
    typed = [column(name, table.c[name].type) for name in names]
    return func.jsonb_to_recordset(literal(list(rows), JSONB)).table_valued(*typed, name="given").render_derived(with_types=True)
