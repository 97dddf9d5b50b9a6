"""Logs reach standard error as it is when they are written."""

import io

import orjson

from clsp.logs import configure_logs, get_logger


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
