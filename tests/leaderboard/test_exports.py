"""Exports: entries that the Hub's own client reads, records with all that their schema requires, nothing invented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from harness.worldmodels.file_limits import parse_yaml
from tests.leaderboard.conftest import COMMIT, IMAGE, ROWS, Ready, write_run


def exported(source: Path, out: Path, *words: str) -> str:
    assert main(["leaderboard", "export", str(source), "--out", str(out), *words]) == 0
    return out.read_text()


def test_the_hubs_client_reads_the_entries(ready: Ready, tmp_path: Path) -> None:
    bundle = ready.bundle(tmp_path / "b.zip")
    words = ("--hugging-face", "org/wiw", "--url", "https://example.org/s")
    text = exported(bundle, tmp_path / "wiw.yaml", *words)
    (entry,) = parse_yaml(text)
    assert entry["dataset"] == {"id": "org/wiw", "task_id": "ignav-precise-panorama-test"}
    assert entry["date"] == "2026-09-21" and f"{ROWS} episodes" in entry["notes"]
    assert 0.0 <= entry["value"] <= 100.0 and entry["source"] == {"url": "https://example.org/s", "name": "WIW-Bench"}
    client = pytest.importorskip("huggingface_hub")
    (read,) = client.parse_eval_result_entries([entry])
    assert client.eval_result_entries_to_yaml([read]) == [entry], "no field is lost"
    assert exported(ready.run, tmp_path / "run.yaml", *words) == text, "a run folder gives what its bundle gives"


REQUIRED: dict[str, set[str]] = {
    "": {"schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "model_info", "eval_library",
         "evaluation_results"},
    "source_metadata": {"source_type", "source_organization_name", "evaluator_relationship"},
    "model_info": {"name", "id", "additional_details"},
    "eval_library": {"name", "version"},
}  # fmt: skip
"""What version 0.3.0 of the schema requires."""


def texts(value: Any) -> bool:
    return all(isinstance(each, str) for each in value.values())


def test_a_record_of_every_eval_ever(ready: Ready, tmp_path: Path) -> None:
    bundle = ready.bundle(tmp_path / "b.zip")
    record = json.loads(exported(bundle, tmp_path / "r.json", "--every-eval-ever", "Lab <x>"))
    for part, names in REQUIRED.items():
        assert names <= set(record[part] if part else record), part
    assert record["schema_version"] == "0.3.0" and record["source_metadata"]["source_organization_name"] == "Lab <x>"
    assert record["eval_library"] == {"name": "wiw-bench", "version": COMMIT}
    details = record["model_info"]["additional_details"]
    assert details["image"] == IMAGE and texts(details)
    results = {each["evaluation_name"].rpartition("/")[2]: each for each in record["evaluation_results"]}
    assert "success_rate" in results and "decisions" not in results, "what has no better end is no score"
    for each in results.values():
        config, score = each["metric_config"], each["score_details"]
        assert isinstance(config["lower_is_better"], bool) and {"min_score", "max_score"} <= set(config)
        assert config["score_type"] == "continuous" and texts(each["source_data"]["additional_details"])
        interval = score["uncertainty"]["confidence_interval"]
        assert interval["lower"] <= score["score"] <= interval["upper"] and interval["confidence_level"] == 0.95


def test_what_is_not_whole_is_not_exported(ready: Ready, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    part = write_run(tmp_path / "runs", ready.suite, "part", played=ROWS - 1)
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    few = write_run(tmp_path / "runs", ready.suite, "few", episodes_subset="12")
    for source in (few, part, tmp_path / "bad.zip", tmp_path / "none.zip"):
        assert main(["leaderboard", "export", str(source), "--out", str(out), "--every-eval-ever", "Lab"]) == 2
    run = str(ready.run)
    for words in (
        [],
        ["--every-eval-ever", "L", "--hugging-face", "a/b"],
        ["--every-eval-ever", "L", "--relationship", "x"],
    ):
        assert main(["leaderboard", "export", run, "--out", str(out), *words]) == 2
    assert not out.exists()
