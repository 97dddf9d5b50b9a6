"""The process that holds the rendezvous store, so that no worker has to (``python -m clsp.training.rendezvous``).

Losing the machine that holds the store ends a training whatever the others do. This process costs no accelerator and
keeps nothing that a restarted worker group does not make again.
"""

import argparse
import signal
import sys
from datetime import timedelta

from clsp.logs import configure_logs, get_logger

log = get_logger(__name__)
_TIMEOUT = timedelta(seconds=300)


def main(arguments: list[str] | None = None) -> int:
    """Hold a store on ``--port`` (0: a free one) until SIGTERM or SIGINT; its port is printed once it listens."""
    parser = argparse.ArgumentParser(prog="python -m clsp.training.rendezvous", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")  # noqa: S104
    options = parser.parse_args(arguments)
    configure_logs()
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # before torch starts threads, which inherit it
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    store = TCPStore(options.host, options.port, is_master=True, wait_for_workers=False, timeout=_TIMEOUT)
    log.info("rendezvous_ready", port=store.port)
    sys.stdout.write(f"{store.port}\n")
    sys.stdout.flush()
    signal.sigwait(stops)
    return 0


if __name__ == "__main__":
    sys.exit(main())
