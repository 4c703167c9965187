"""The sums on the sizing page are those of the configuration."""

from pathlib import Path

import pytest
import yaml

from aquascene.adapters.settings import deep_merge, read_yaml
from aquascene.adapters.settings_groups import DatabaseSettings, ScaleSettings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "sizing.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_connection_budget_is_what_the_files_say(environment: str) -> None:
    merged = deep_merge(read_yaml(ROOT / "config" / "base.yaml"), read_yaml(ROOT / "config" / f"{environment}.yaml"))
    data, scale = DatabaseSettings(**merged["database"]), ScaleSettings(**merged["scale"])
    web = (data.pool_size + data.pool_overflow) * scale.web_replicas
    runs = (scale.flow_run_pool_size + data.pool_overflow) * scale.flow_runs
    cells = [
        environment,
        f"({data.pool_size} + {data.pool_overflow}) × {scale.web_replicas} = {web}",
        f"({scale.flow_run_pool_size} + {data.pool_overflow}) × {scale.flow_runs} = {runs}",
        str(web + runs),
        f"{data.max_connections} − {data.reserved_connections} = {data.max_connections - data.reserved_connections}",
    ]
    assert f"| {' | '.join(cells)} |" in PAGE
    assert web + runs <= data.max_connections - data.reserved_connections


def test_connections_behind_the_pooler_fit() -> None:
    folder = ROOT / "k8s" / "components" / "database"
    cluster = next(yaml.safe_load_all((folder / "cluster.yaml").read_text(encoding="utf-8")))["spec"]
    pooler = next(yaml.safe_load_all((folder / "poolers.yaml").read_text(encoding="utf-8")))["spec"]
    size = {name: int(value) for name, value in pooler["pgbouncer"]["parameters"].items() if name.endswith("pool_size")}
    held = pooler["instances"] * sum(size.values())
    prefect = next(role["connectionLimit"] for role in cluster["managed"]["roles"] if role["name"] == "prefect")
    assert f"{pooler['instances']} instances × ({size['default_pool_size']} + {size['reserve_pool_size']}) = {held}" in PAGE
    assert f"| {prefect}, the limit of its role" in PAGE
    assert held + prefect <= int(cluster["postgresql"]["parameters"]["max_connections"]) - 10
