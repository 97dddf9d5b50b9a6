"""``python -m pipelines.chart``: write what is generated for the chart; ``--check`` only says what is out of date."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pipelines.chart.documents import read_values
from pipelines.chart.schema import values_schema
from pipelines.chart.table import with_table
from pipelines.dashboards.boards import BOARDS
from pipelines.dashboards.rendering import render_board

CHART = Path(__file__).parents[2] / "charts/clsp-platform"


def generated(chart: Path) -> dict[Path, str]:
    """Every generated file of the chart and what it must hold."""
    values = read_values(chart / "values.yaml")
    readme = chart / "README.md"
    return {
        chart / "values.schema.json": _json(values_schema(values)),
        readme: with_table(readme.read_text(), values),
        **{chart / f"dashboards/{board.name}.json": _json(render_board(board)) for board in BOARDS},
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the files, or with ``--check`` leave with 1 when one is out of date."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.chart", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; say what is out of date")
    check = parser.parse_args().check
    files = generated(CHART)
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(files[path])
        sys.stdout.write(f"{'out of date' if check else 'wrote'}: {path.relative_to(CHART.parents[1])}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
