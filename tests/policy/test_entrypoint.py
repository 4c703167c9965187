"""The image's entry point sets what the code asks for."""

import re

from aquascene.adapters.logs import PREFECT_VARIABLES
from aquascene.adapters.resources import config_dir


def test_prefect_logs_as_the_product_does() -> None:
    script = (config_dir().parent / "docker" / "entrypoint.sh").read_text(encoding="utf-8")
    assert dict(re.findall(r"export (PREFECT_LOGGING_\w+)=(\S+)", script)) == PREFECT_VARIABLES
