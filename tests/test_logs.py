"""Logs reach standard error as it is when they are written."""

import io

import orjson
import pytest

from clsp.logs import configure_logs, get_logger
from pipelines.cli import main


def test_logs_follow_standard_error_when_it_is_swapped_and_closed(monkeypatch):
    gone, now = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stderr", gone)
    configure_logs()
    log = get_logger("clsp.test")
    log.warning("before")
    gone.close()
    monkeypatch.setattr("sys.stderr", now)
    log.warning("after", rows=3)
    line = orjson.loads(now.getvalue())
    assert (line["event"], line["module"], line["rows"]) == ("after", "clsp.test", 3)


def test_a_command_warns_on_standard_error_so_that_its_answer_stays_readable(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["clsp", "plan", "--hours", "1", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    get_logger("clsp.test").warning("model_untrained")
    said = capsys.readouterr()
    assert ended.value.code == 0
    assert orjson.loads(said.out)["hours"] == 1
    assert "model_untrained" in said.err
