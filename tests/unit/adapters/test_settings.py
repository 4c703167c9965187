"""Settings: merge, precedence, refusal of what is wrong with all errors at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquascene.adapters import settings
from aquascene.errors import ConfigError

Configure = Callable[..., settings.Settings]
LEAVES = st.one_of(st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=3))
TREES = st.recursive(
    st.dictionaries(st.text(max_size=3), LEAVES, max_size=3), lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=8
)


@given(TREES, TREES)
def test_merge_keeps_what_only_one_side_has_and_prefers_the_other(base: dict[str, Any], over: dict[str, Any]) -> None:
    merged = settings.deep_merge(base, over)
    assert set(merged) == set(base) | set(over)
    for key, value in merged.items():
        if key not in over:
            assert value == base[key]
        elif not (isinstance(over[key], dict) and isinstance(base.get(key), dict)):
            assert value == over[key]


@given(TREES)
def test_merge_with_nothing_changes_nothing(tree: dict[str, Any]) -> None:
    assert settings.deep_merge(tree, {}) == tree == settings.deep_merge({}, tree)


def test_merge_null_removes_and_lists_replace() -> None:
    assert settings.deep_merge({"a": 1, "b": {"c": [1, 2]}}, {"a": None, "b": {"c": [3]}}) == {"b": {"c": [3]}}


def own_config(folder: Path, base: str, environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "base.yaml").write_text(base)
    (folder / "demo.yaml").write_text(environment)
    monkeypatch.setattr(settings, "config_dir", lambda: folder)


def test_precedence_from_base_to_command_line(tmp_path: Path, configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    own_config(tmp_path / "config", "web: {port: 1001, requests_per_hour: 7}", "web: {port: 1002}", monkeypatch)
    assert configured().web.port == 1002
    assert settings.current().web.requests_per_hour == 7
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "web__port").write_text("1003\n")
    assert configured(SECRETS_DIR=str(secrets)).web.port == 1003
    assert configured(WEB__PORT="1004").web.port == 1004
    assert settings.load(web={"port": 1005}).web.port == 1005
    assert settings.load(web={"port": 1005}).web.requests_per_hour == 7


def test_secret_from_a_file_variable(tmp_path: Path, configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    monkeypatch.delenv("JWT_SECRET")
    config = configured(JWT_SECRET_FILE=str(tmp_path / "key"))
    assert config.jwt_secret.get_secret_value() == "from-a-file"
    assert "from-a-file" not in repr(config)


def test_unreadable_secret_file_is_named(tmp_path: Path, configured: Configure) -> None:
    with pytest.raises(ConfigError, match="no-such-file"):
        configured(OPENAI_API_KEY_FILE=str(tmp_path / "no-such-file"))


def test_every_error_at_once_with_its_path(tmp_path: Path, configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    own_config(tmp_path / "config", "web: {prt: 1}\nfrobnicate: true", "log_level: LOUD", monkeypatch)
    with pytest.raises(ConfigError) as caught:
        configured()
    for part in ("web.prt: unknown setting", "frobnicate: unknown setting", "log_level:"):
        assert part in str(caught.value)


def test_broken_yaml_names_file_and_line(tmp_path: Path, configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    own_config(tmp_path / "config", "web: {port: 1", "", monkeypatch)
    with pytest.raises(ConfigError, match=r"base\.yaml is not valid YAML.*line 1"):
        configured()


def test_unknown_environment_is_refused(configured: Configure) -> None:
    with pytest.raises(ConfigError, match=r"prod.*development, staging, production, demo"):
        configured(ENVIRONMENT="prod")


@pytest.mark.parametrize("environment", ["development", "staging", "production", "demo"])
def test_shipped_files_are_valid(environment: str, configured: Configure) -> None:
    assert configured(ENVIRONMENT=environment).environment == environment
