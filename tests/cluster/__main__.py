"""`python -m tests.cluster up|down|status`: a cluster of one's own to try things on."""

import argparse
import time

from tests.cluster.harness.cluster import boot
from tests.cluster.harness.platform import install_platform, platform_images
from tests.cluster.harness.record import Record, all_records, records
from tests.cluster.harness.teardown import sweep, tear_down, usable

USAGE = """\
The cluster {name!r} is up. Use it:

    export KUBECONFIG={kubeconfig}
    {kubectl} get pods -A

Pods and Services have addresses that this machine reaches; pods reach this machine at {host}.
Tests on it:  CLSP_TEST_CLUSTER={name} make test-cluster
Stop it:      make cluster-down NAME={name}"""


def say(record: Record, kubectl: object) -> None:
    print(USAGE.format(name=record.name, kubeconfig=record.kubeconfig, kubectl=kubectl, host=record.addresses.host))


def up(name: str, nodes: int, *, bare: bool) -> None:
    """Boot, install the operators, leave it running."""
    started = time.monotonic()
    images = [] if bare else platform_images()
    cluster = boot(name, nodes=nodes, kept=True, prepared=not bare, images=images)
    try:
        print(f"nodes are ready after {time.monotonic() - started:.0f} s")
        if not bare:
            install_platform(cluster.kubectl, cluster.credentials.authority)
            print(f"operators are available after {time.monotonic() - started:.0f} s")
    except BaseException:
        cluster.down()
        raise
    cluster.keep()
    say(cluster.record, cluster.kubectl.program)


def down(name: str | None) -> None:
    """End the kept cluster of that name, or all; remove what crashed runs left."""
    with all_records() as found:
        for record in found:
            if usable(record) and name in (None, record.name):
                tear_down(record)
                print(f"{record.name} is gone")
    for swept in sweep():
        print(f"{swept} had crashed; what it left is gone")


def status() -> None:
    """Say which clusters there are."""
    for record in records():
        state = "up" if usable(record) else "in the hands of its owner, or crashed"
        print(f"{record.name}: {state}; {record.addresses.block}; {record.kubeconfig}")


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="boot a cluster and leave it running")
    start.add_argument("--name", default="dev")
    start.add_argument("--nodes", type=int, default=1)
    start.add_argument("--bare", action="store_true", help="without operators and MinIO")
    stop = commands.add_parser("down", help="end kept clusters and remove what crashed ones left")
    stop.add_argument("--name", default=None, help="only this one (default: all)")
    commands.add_parser("status", help="say which there are")
    arguments = parser.parse_args()
    if arguments.command == "up":
        up(arguments.name, arguments.nodes, bare=arguments.bare)
    elif arguments.command == "down":
        down(arguments.name)
    else:
        status()


if __name__ == "__main__":
    main()
