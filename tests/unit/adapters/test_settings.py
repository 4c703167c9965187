"""Settings: merge, precedence, places, refusal of what is wrong with all errors at once."""

import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from aquascene.adapters import settings, settings_places
from aquascene.adapters.settings_fields import variable_of
from aquascene.adapters.settings_report import inspect
from aquascene.errors import ConfigError

Configure = Callable[..., settings.Settings]
Tree = dict[str, Any]
LEAVES = st.one_of(st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=3))
NAMES = st.text(alphabet="abc", min_size=1, max_size=2)
TREES = st.recursive(st.dictionaries(NAMES, LEAVES, max_size=3), lambda inner: st.dictionaries(NAMES, st.one_of(LEAVES, inner), max_size=3), max_leaves=8)
NULLS = st.recursive(
    st.dictionaries(NAMES, st.one_of(st.none(), LEAVES), max_size=3),
    lambda inner: st.dictionaries(NAMES, st.one_of(st.none(), inner), max_size=3),
    max_leaves=8,
)
# One shape for all, as a schema gives it: a name is a group everywhere or a setting everywhere.
SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "port": LEAVES,
        "hosts": st.lists(st.integers(), max_size=3),
        "web": st.fixed_dictionaries({}, optional={"a": LEAVES, "b": LEAVES, "deep": st.fixed_dictionaries({}, optional={"x": LEAVES, "y": LEAVES})}),
    },
)


@pytest.fixture
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """A configuration folder of our own with base.yaml and demo.yaml."""

    def write(base: str, environment: str) -> Path:
        folder = tmp_path / "config"
        folder.mkdir(exist_ok=True)
        (folder / "base.yaml").write_text(base)
        (folder / "demo.yaml").write_text(environment)
        monkeypatch.setattr(settings_places, "config_dir", lambda: folder)
        return folder

    return write


# --- merge -------------------------------------------------------------------------------------


@given(TREES, TREES)
def test_merge_keeps_what_only_one_side_has_and_prefers_the_other(base: Tree, over: Tree) -> None:
    merged = settings.deep_merge(base, over)
    assert set(merged) == set(base) | set(over)
    for key, value in merged.items():
        if key not in over:
            assert value == base[key]
        elif isinstance(over[key], dict):
            below = base.get(key)
            assert value == settings.deep_merge(below if isinstance(below, dict) else {}, over[key])
        else:
            assert value == over[key]


@given(TREES)
def test_merge_with_nothing_or_itself_changes_nothing(tree: Tree) -> None:
    assert settings.deep_merge(tree, {}) == tree == settings.deep_merge({}, tree)
    assert settings.deep_merge(tree, tree) == tree


@given(SHAPED, SHAPED, SHAPED)
def test_merge_of_one_shape_is_associative(a: Tree, b: Tree, c: Tree) -> None:
    merge = settings.deep_merge
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


def test_merge_is_not_associative_across_a_removal_or_a_change_of_shape() -> None:
    """So places are always merged from the weakest up, never two strong ones first."""
    merge = settings.deep_merge
    for a, b, c in [({"x": 1}, {}, {"x": None}), ({"x": {"y": 1}}, {"x": 2}, {"x": {"z": 3}})]:
        assert merge(merge(a, b), c) != merge(a, merge(b, merge({}, c)))


@given(TREES, NULLS)
def test_merge_null_removes_and_leaves_no_null_behind(base: Tree, over: Tree) -> None:
    merged = settings.deep_merge(base, over)
    assert not [key for key, value in over.items() if value is None and key in merged]
    assert "null" not in json.dumps(merged).replace('"null"', "")


@given(TREES, NULLS)
def test_merge_touches_neither_side(base: Tree, over: Tree) -> None:
    before = json.dumps([base, over])
    settings.deep_merge(base, over)
    assert json.dumps([base, over]) == before


def test_merge_lists_replace() -> None:
    assert settings.deep_merge({"a": 1, "b": {"c": [1, 2]}}, {"a": None, "b": {"c": [3]}}) == {"b": {"c": [3]}}


# --- precedence --------------------------------------------------------------------------------

# A scalar, one in a group, and a list: each with a writer of its value number n, as YAML and as text.
KEYS: dict[str, tuple[Callable[[int], Any], Callable[[Any], str]]] = {
    "git_sha": (lambda n: f"commit-{n}", str),
    "web.port": (lambda n: 2000 + n, str),
    "fetch.loopback_allow": (lambda n: [f"127.0.0.1:{n}"], json.dumps),
}
STRONGEST_FIRST = ("command line", "variable", "file variable", "secrets directory", "environment", "base")


class Places:
    """Writes a value into any of the places; what is not written is not there."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root, self.patch = root, patch
        self.trees: dict[str, Tree] = {"base": {}, "environment": {}}
        self.overrides: Tree = {}
        for folder in ("config", "secrets"):
            (root / folder).mkdir()
        patch.setenv("SECRETS_DIR", str(root / "secrets"))
        patch.setattr(settings_places, "config_dir", lambda: root / "config")

    def write(self, place: str, key: str, value: Any, as_text: Callable[[Any], str]) -> None:
        variable, (head, _, rest) = variable_of(key), key.partition(".")
        tree = {head: {rest: value}} if rest else {head: value}
        if place == "command line":
            self.overrides = settings.deep_merge(self.overrides, tree)
        elif place == "variable":
            self.patch.setenv(variable, as_text(value))
        elif place == "file variable":
            (self.root / variable).write_text(as_text(value) + "\n")
            self.patch.setenv(f"{variable}_FILE", str(self.root / variable))
        elif place == "secrets directory":
            (self.root / "secrets" / variable.lower()).write_text(as_text(value) + "\n")
        else:
            self.trees[place] = settings.deep_merge(self.trees[place], tree)

    def load(self) -> settings.Settings:
        for place, name in (("base", "base"), ("environment", "demo")):
            (self.root / "config" / f"{name}.yaml").write_text(json.dumps(self.trees[place]))
        return settings.load(**self.overrides)


def value_of(config: settings.Settings, key: str) -> Any:
    head, _, rest = key.partition(".")
    return getattr(getattr(config, head), rest) if rest else getattr(config, head)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("stronger", "weaker"), list(itertools.combinations(STRONGEST_FIRST, 2)))
def test_the_stronger_of_two_places_wins(key: str, stronger: str, weaker: str, tmp_path: Path, configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    make, as_text = KEYS[key]
    places = Places(tmp_path, monkeypatch)
    places.write(weaker, key, make(1), as_text)
    assert value_of(places.load(), key) == make(1)
    places.write(stronger, key, make(2), as_text)
    assert value_of(places.load(), key) == make(2)


@given(chosen=st.dictionaries(st.sampled_from(sorted(KEYS)), st.sets(st.sampled_from(STRONGEST_FIRST), min_size=1), min_size=1), order=st.randoms())
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_set_of_places_gives_the_strongest(
    chosen: dict[str, set[str]], order: Any, tmp_path_factory: pytest.TempPathFactory, configured: Configure
) -> None:
    """Each key comes from its own strongest place, whatever was written for the others and in whatever order."""
    with pytest.MonkeyPatch.context() as patch:
        places = Places(tmp_path_factory.mktemp("places"), patch)
        writes = [(key, place) for key, listed in chosen.items() for place in listed]
        order.shuffle(writes)
        for key, place in writes:
            make, as_text = KEYS[key]
            places.write(place, key, make(STRONGEST_FIRST.index(place)), as_text)
        config = places.load()
        for key, listed in chosen.items():
            assert value_of(config, key) == KEYS[key][0](min(map(STRONGEST_FIRST.index, listed)))


def test_one_place_overrides_one_setting_of_a_group_and_leaves_the_others(configured: Configure, own_config: Callable[[str, str], Path]) -> None:
    own_config("web: {port: 1001, requests_per_hour: 7}", "web: {port: 1002}")
    config = settings.load(web={"burst_size": 9})
    assert (config.web.port, config.web.requests_per_hour, config.web.burst_size) == (1002, 7, 9)


def test_a_null_in_the_environments_file_brings_the_default_back(configured: Configure, own_config: Callable[[str, str], Path]) -> None:
    own_config("web: {port: 1001, metrics_port: 9090}\nscale: {flow_runs: 9}", "web: {metrics_port: null}\nscale: null")
    config = configured()
    assert (config.web.port, config.web.metrics_port, config.scale.flow_runs) == (1001, None, 4)


def test_another_file_stands_in_for_the_environments(tmp_path: Path, configured: Configure, own_config: Callable[[str, str], Path]) -> None:
    own_config("web: {port: 1001, requests_per_hour: 7}", "web: {port: 1002}")
    (tmp_path / "mine.yaml").write_text("web: {port: 1003}")
    config = configured(CONFIG_FILE=str(tmp_path / "mine.yaml"))
    assert (config.web.port, config.web.requests_per_hour) == (1003, 7)


def test_names_of_variables_count_in_any_case_and_the_usual_one_is_stronger(configured: Configure) -> None:
    assert configured(web__port="1001").web.port == 1001
    assert configured(WEB__PORT="1002").web.port == 1002


def test_an_empty_variable_or_file_counts_as_not_set(tmp_path: Path, configured: Configure) -> None:
    (tmp_path / "redis_url").write_text("\n")
    config = configured(SECRETS_DIR=str(tmp_path), WEB__METRICS_PORT="", OPENAI_API_KEY="")
    assert (config.web.metrics_port, config.openai_api_key, config.redis_url) == (None, None, None)


# --- secret files ------------------------------------------------------------------------------


def test_secret_from_a_file_variable(tmp_path: Path, configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("from-a-file\r\n")
    monkeypatch.delenv("JWT_SECRET")
    config = configured(JWT_SECRET_FILE=str(tmp_path / "key"))
    assert config.jwt_secret.get_secret_value() == "from-a-file"
    assert "from-a-file" not in repr(config)


def test_the_variable_wins_over_its_file(tmp_path: Path, configured: Configure) -> None:
    (tmp_path / "key").write_text("from-a-file")
    config = configured(OPENAI_API_KEY="from-a-variable", OPENAI_API_KEY_FILE=str(tmp_path / "key"))
    assert config.openai_api_key is not None
    assert config.openai_api_key.get_secret_value() == "from-a-variable"


def test_a_secret_mounted_by_kubernetes(tmp_path: Path, configured: Configure) -> None:
    """Its files are links through a link to a folder, which an update swaps in one step."""
    for version in ("2026_01", "2026_02"):
        (tmp_path / f"..{version}").mkdir()
        (tmp_path / f"..{version}" / "openai_api_key").write_text(version)
    (tmp_path / "openai_api_key").symlink_to("..data/openai_api_key")
    (tmp_path / "kubernetes.io").mkdir()
    for version in ("2026_01", "2026_02"):
        (tmp_path / "..new").symlink_to(f"..{version}")
        os.replace(tmp_path / "..new", tmp_path / "..data")
        key = configured(SECRETS_DIR=str(tmp_path)).openai_api_key
        assert key is not None
        assert key.get_secret_value() == version


def test_files_of_others_in_the_secrets_directory_are_left_alone(tmp_path: Path, configured: Configure) -> None:
    for name in ("postgres_password", "web__prt", "prefect_server_encryption_key", ".hidden", "WEB__BURST_SIZE"):
        (tmp_path / name).write_text("7\n")
    (tmp_path / "tls.p12").write_bytes(b"\xff\xfe\x00")
    assert configured(SECRETS_DIR=str(tmp_path)).web.burst_size == 7


@pytest.mark.parametrize(
    "make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_bytes(b"\xff\xfehidden")], ids=["missing", "folder", "bytes"]
)
def test_unreadable_secret_files_are_named_with_their_setting(make: Callable[[Path], Any], tmp_path: Path, configured: Configure) -> None:
    make(tmp_path / "key-file")
    with pytest.raises(
        ConfigError, match=r"secret-file: cannot read the secret file .*key-file \(OPENAI_API_KEY_FILE\) of openai_api_key: .*; check"
    ) as caught:
        configured(OPENAI_API_KEY_FILE=str(tmp_path / "key-file"))
    assert "hidden" not in str(caught.value)


def test_a_secrets_directory_that_may_not_be_listed_is_named(tmp_path: Path, configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)  # root may list everything
    with pytest.raises(ConfigError, match=r"secret-file: cannot list the secrets directory .*Permission denied"):
        configured(SECRETS_DIR=str(tmp_path))


# --- what is wrong -----------------------------------------------------------------------------


def test_every_error_at_once_with_its_code_path_and_place(
    configured: Configure, own_config: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = own_config("web: {prt: 1}\nfrobnicate: true\n5: five\ndatabase: none", "log_level: LOUD\nweb: {port: 70000}\nfetch: {loopback_allow: [1]}")
    monkeypatch.setenv("SCALE__FLOW_RUNS", "many")
    monkeypatch.setenv("FETCH__PRIVATE_ALLOW", "a:1,b:2")
    monkeypatch.setenv("WEB__BURST", "1")
    with pytest.raises(ConfigError) as caught:
        configured()
    for line in (
        f"unknown-key: web.prt in {folder}/base.yaml is no setting; did you mean web.port?",
        f"unknown-key: frobnicate in {folder}/base.yaml is no setting; check the spelling",
        f"unknown-key: 5 in {folder}/base.yaml",
        "unknown-key: web.burst in variable WEB__BURST is no setting; did you mean web.burst_size?",
        f"not-allowed: log_level in {folder}/demo.yaml: ",
        f"out-of-range: web.port in {folder}/demo.yaml: ",
        f"wrong-type: database in {folder}/base.yaml: ",
        f"wrong-type: fetch.loopback_allow in {folder}/demo.yaml: ",
        "wrong-type: scale.flow_runs in variable SCALE__FLOW_RUNS: ",
        "wrong-type: fetch.private_allow in variable FETCH__PRIVATE_ALLOW is not a JSON list; ",
    ):
        assert f"\n  {line}" in str(caught.value)
    assert str(caught.value).count("\n") == 10


@pytest.mark.parametrize("text", ["web.port: 80", "web: {'a.b': 1}", "{'': 1, '.': 2, web: {'': 3}}", "web: {port: {x: {y: 1}}}", "? [a, b]\n: 1"])
def test_keys_of_any_form_are_told_and_end(text: str, configured: Configure, own_config: Callable[[str, str], Path]) -> None:
    own_config(text, "")
    with pytest.raises(ConfigError, match=r"unknown-key|wrong-type|config-file"):
        configured()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("web: {port: hush-hush", "is not valid YAML: .*line 1"),
        ("jwt_secret: *hush-hush", "is not valid YAML: .*line 1"),
        ("jwt_secret: !hush-hush x", "is not valid YAML: .*line 1"),
        ("git_sha: 2026-99-99 # hush-hush", "is not valid YAML"),
        ("web: {port: 1}\nweb: {burst_size: 2}", "is not valid YAML: a key stands twice in its mapping, line 2"),
        ("[hush-hush]", "must hold a mapping of settings, not list"),
    ],
    ids=["unclosed", "alias", "tag", "no-date", "twice", "list"],
)
def test_a_broken_file_is_named_with_its_line_and_not_quoted(text: str, says: str, configured: Configure, own_config: Callable[[str, str], Path]) -> None:
    own_config(text, "")
    with pytest.raises(ConfigError, match=rf"config-file: .*base\.yaml {says}.*;") as caught:
        configured()
    assert "hush" not in str(caught.value)


def test_both_broken_files_are_named_at_once(tmp_path: Path, configured: Configure, own_config: Callable[[str, str], Path]) -> None:
    own_config("a: [", "")
    with pytest.raises(ConfigError) as caught:
        configured(CONFIG_FILE=str(tmp_path / "none.yaml"))
    assert "base.yaml is not valid YAML" in str(caught.value)
    assert f"cannot read {tmp_path}/none.yaml: No such file or directory; create it or set CONFIG_FILE" in str(caught.value)


def test_unknown_environment_is_refused(configured: Configure) -> None:
    with pytest.raises(ConfigError, match=r"unknown-environment: .*prod.*development, staging, production, demo"):
        configured(ENVIRONMENT="prod")


def test_a_file_of_another_environment_is_refused(configured: Configure, tmp_path: Path) -> None:
    """Otherwise production's file without ENVIRONMENT would start as a demo, without production's rules."""
    (tmp_path / "mine.yaml").write_text("environment: production\n")
    with pytest.raises(ConfigError, match=r"environment-mismatch: .*mine\.yaml \(CONFIG_FILE\) is not the file of demo"):
        configured(CONFIG_FILE=str(tmp_path / "mine.yaml"))


def test_other_programs_variables_are_left_alone(configured: Configure) -> None:
    assert configured(PREFECT__FLOW_RUN_ID="x", WEB_PORT="tcp://10.0.0.1:80", DATABASE="x", SANDBOX_WEBHOOK_KEY_FILE="/none").web.port == 8000


@pytest.mark.parametrize("environment", list(settings.Environment))
def test_shipped_files_keep_the_rules_that_need_no_secret_and_no_address(environment: settings.Environment, configured: Configure) -> None:
    report = inspect(environment, extent="files")
    assert report.findings == []
    assert report.settings is not None
    assert report.settings.environment is environment


def test_the_matrix_of_the_environments(configured: Configure) -> None:
    found = {name: inspect(name, extent="files").settings for name in settings.Environment}
    assert {str(name): one.database.pool_size for name, one in found.items() if one} == {"development": 5, "staging": 15, "production": 25, "demo": 5}
    assert {str(name): one.log_level for name, one in found.items() if one} == {
        "development": "DEBUG",
        "staging": "INFO",
        "production": "WARNING",
        "demo": "INFO",
    }
    assert {str(name): one.backup.mode for name, one in found.items() if one} == {
        "development": "none",
        "staging": "daily",
        "production": "continuous",
        "demo": "none",
    }
    assert [str(name) for name, one in found.items() if one and one.generation.allow_sandbox] == ["development", "demo"]
    assert [str(name) for name, one in found.items() if one and one.debug] == ["development"]
