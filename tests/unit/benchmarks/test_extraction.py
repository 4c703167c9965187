import gzip
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "extraction.py"
BODY = " ".join(f"Moss number {n} grows on wood and on stone in clean water, slowly." for n in range(20))


def test_the_metric_counts_four_word_runs() -> None:
    spec = importlib.util.spec_from_file_location("extraction_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    half = module.score("x", "a b c d e", "a b c d z", 0.0)
    assert (half.precision, half.recall) == (0.5, 0.5)
    assert module.score("x", "a b", "", 0.0).precision is None
    assert module.summary([module.score("x", "a b c d", "a b c d", 0.0)]) == (1.0, 1.0, 1.0)


def test_a_folder_is_scored_and_a_missing_one_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "html").mkdir()
    (tmp_path / "ground-truth.json").write_text(json.dumps({"one": {"articleBody": BODY, "url": "https://a.example/"}}))
    (tmp_path / "html" / "one.html.gz").write_bytes(gzip.compress(f"<html><body><article><p>{BODY}</p></article></body></html>".encode()))
    good = subprocess.run([sys.executable, SCRIPT, "--data", tmp_path], capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stderr
    assert "F1 1.0000" in good.stdout
    missing = subprocess.run([sys.executable, SCRIPT, "--data", tmp_path / "nowhere"], capture_output=True, text=True, check=False)
    assert missing.returncode == 2
    assert "no benchmark data" in missing.stderr
