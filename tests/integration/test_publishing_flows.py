"""The flows publish, correct and withdraw as Prefect runs them, one after the other on one site."""

import pytest
from sqlalchemy import select

from aquascene.adapters.postgres import tables
from aquascene.adapters.postgres.db import transaction
from flows.correct import correct
from flows.publish import publish
from flows.withdraw import withdraw
from tests.publishing_rows import add_approved


@pytest.mark.usefixtures("database", "prefect_server")
def test_flows_publish_correct_and_withdraw() -> None:
    with transaction() as db:
        draft_id = add_approved(db, "One")
    first = publish([draft_id])
    assert (first.articles, first.site_version, first.site_url) == (1, 1, "http://127.0.0.1:8000/")
    assert first.pages_changed > 10
    again = publish()
    assert (again.articles, again.pages_changed, again.site_version) == (0, 0, 1)
    article_id = first.article_ids[0]
    assert correct(article_id, note="It is 24 degrees.").site_version == 2
    assert withdraw(article_id, note="The source was wrong.").site_version == 3
    with transaction() as db:
        states = db.execute(select(tables.article.c.state)).scalars().all()
    assert states == ["withdrawn"]
