"""The real locust, as its users run it, in a process of its own."""

import csv
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).with_name("locustfile.py")


def test_locust_measures_the_server(server, tmp_path):
    command = [sys.executable, "-m", "locust", "--locustfile", str(FILE), "--headless", "--host", server.url]
    command += ["--users", "4", "--spawn-rate", "4", "--run-time", "3s", "--csv", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=FILE.parents[2], check=False)
    assert done.returncode == 0, done.stderr
    rows = {row["Name"]: row for row in csv.DictReader((tmp_path / "out_stats.csv").open())}
    assert {"text", "clip", "Aggregated"} == set(rows)
    assert int(rows["Aggregated"]["Failure Count"]) == 0
    assert min(int(row["Request Count"]) for row in rows.values()) > 3
