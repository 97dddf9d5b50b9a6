"""``python -m components.train.rendezvous``: the pod that holds the rendezvous store, so that no worker has to.

Losing the machine that holds the store ends a training whatever the others do; this process costs no GPU and sits on
a node that is not preempted. It keeps nothing that a restarted worker group does not make again.
"""

import argparse
import signal
import sys
from datetime import timedelta

from clsp.logs import configure_logs, get_logger

log = get_logger(__name__)
_TIMEOUT = timedelta(seconds=300)


def main(arguments: list[str] | None = None) -> int:
    """Hold a store on ``--port`` until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m components.train.rendezvous", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port: int = parser.parse_args(arguments).port
    configure_logs()
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # before torch starts threads, which inherit it
    from torch.distributed import TCPStore

    store = TCPStore("0.0.0.0", port, is_master=True, wait_for_workers=False, timeout=_TIMEOUT)  # noqa: S104
    log.info("rendezvous_ready", port=store.port)
    signal.sigwait(stops)
    return 0


if __name__ == "__main__":
    sys.exit(main())
