"""Who has which address: every cluster has a slot, and everything in it an address that no other slot has.

All lie in 198.18.0.0/15, which is set aside for tests (RFC 2544). Each slot is a /19 of it, routed from the host into
the cluster's first node: pods and Services can be reached from the machine as they can from a pod.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

RANGE = IPv4Network("198.18.0.0/15")
SLOT_PREFIX = 19
SLOTS = 2 ** (SLOT_PREFIX - RANGE.prefixlen)
API_PORT = 6443


@dataclass(frozen=True)
class Addresses:
    """The plan of one slot."""

    slot: int

    def part(self, index: int) -> IPv4Network:
        """The index-th /24 of the slot."""
        start = int(RANGE.network_address) + (self.slot << 32 - SLOT_PREFIX) + (index << 8)
        return IPv4Network((start, 24))

    @property
    def block(self) -> IPv4Network:
        return self.part(0).supernet(new_prefix=SLOT_PREFIX)

    @property
    def nodes(self) -> IPv4Network:
        return self.part(0)

    @property
    def pods(self) -> IPv4Network:
        """All pods of the cluster: a /21 of the slot."""
        return self.part(8).supernet(new_prefix=21)

    @property
    def services(self) -> IPv4Network:
        return self.part(16)

    @property
    def host(self) -> IPv4Address:
        """The machine's end of the link into the cluster: what pods call to reach a server of the tests."""
        return self.part(31)[1]

    @property
    def gateway(self) -> IPv4Address:
        """The cluster's end of that link."""
        return self.part(31)[2]

    @property
    def link(self) -> str:
        """Name of the machine's network device of that link."""
        return f"clsp{self.slot}"

    @property
    def dns(self) -> IPv4Address:
        return self.services[10]

    @property
    def api_service(self) -> IPv4Address:
        return self.services[1]

    @property
    def api(self) -> IPv4Address:
        return self.node(1)

    @property
    def api_url(self) -> str:
        return f"https://{self.api}:{API_PORT}"

    def node(self, number: int) -> IPv4Address:
        """Address of the node, counted from 1."""
        return self.nodes[number]

    def node_pods(self, number: int) -> IPv4Network:
        return self.part(7 + number)
