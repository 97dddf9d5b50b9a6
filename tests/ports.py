"""Free ports for servers that must be told theirs before they start."""

import socket


def free_ports(count: int) -> list[int]:
    """Ports that are free, and whose gRPC twins 10,000 above are free too."""
    ports: list[int] = []
    while len(ports) < count:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1] - 12_000
        if 1024 < port < 55_000 and port not in ports and _is_free(port) and _is_free(port + 10_000):
            ports.append(port)
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
