"""``python -m components.describer``: serve until told to stop; prints ``{"url": …}`` when it is ready."""

import argparse
import json
import os
import signal
import threading

from clsp.config.captions import DescriberSettings
from clsp.logs import configure_logs
from clsp.processes import die_with_parent
from components.describer.faults import parse_fault
from components.describer.server import Service

KEY, FAULTS = "CLSP_DESCRIBER_API_KEY", "CLSP_DESCRIBER_FAULTS"


def main() -> None:
    """Parse the command line, listen, and serve."""
    options = _parser().parse_args()
    configure_logs()
    if options.die_with_parent:
        die_with_parent(options.die_with_parent)
    named = [*os.environ.get(FAULTS, "").split(","), *options.fault]
    settings = DescriberSettings(cached_clips=options.cached_clips, max_body_bytes=options.max_body_bytes)
    faults = tuple(parse_fault(text) for text in named if text)
    server = Service(settings, os.environ.get(KEY, ""), faults).start(options.host, options.port)
    # shutdown() waits for the serving loop, which runs in this very thread.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(json.dumps({"url": server.url}), flush=True)
    server.serve_forever(poll_interval=0.1)


def _parser() -> argparse.ArgumentParser:
    defaults = DescriberSettings()
    parser = argparse.ArgumentParser(prog="python -m components.describer", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free port")
    parser.add_argument("--cached-clips", type=int, default=defaults.cached_clips)
    parser.add_argument("--max-body-bytes", type=int, default=defaults.max_body_bytes)
    parser.add_argument("--fault", action="append", default=[], help="for tests: name[=value][@rate], e.g. 500@0.3")
    parser.add_argument("--die-with-parent", type=int, metavar="PID", help="end when the starting process does")
    return parser


if __name__ == "__main__":
    main()
