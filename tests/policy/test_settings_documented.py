"""Every setting says what it means, and docs/configuration.md is what the settings say."""

from aquascene.adapters.resources import config_dir
from aquascene.adapters.settings import Settings
from aquascene.cli.settings_docs import markdown, undescribed


def test_every_setting_has_a_description() -> None:
    assert undescribed(Settings) == []


def test_configuration_page_is_current() -> None:
    page = config_dir().parent / "docs" / "configuration.md"
    assert page.read_text(encoding="utf-8") == markdown(Settings), "run `make docs`"


def test_secrets_are_marked_and_never_shown() -> None:
    text = markdown(Settings)
    assert "| `jwt_secret` | `JWT_SECRET` | none |" in text
    row = next(line for line in text.splitlines() if line.startswith("| `openai_api_key`"))
    assert row.endswith("**Secret.** |")
    assert "| `database.pool_size` | `DATABASE__POOL_SIZE` | `5` |" in text
