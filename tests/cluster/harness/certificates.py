"""A throw-away certificate authority: who each part of the control plane is, is what its certificate says.

The parts get the users and groups that upstream's RBAC names (system:nodes, system:kube-scheduler …), never
administrators' rights, so that what the API server refuses in production it refuses here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = timedelta(days=30)
SKEW = timedelta(hours=1)
BOTH_WAYS = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True)
class Pair:
    """Paths of a PEM certificate and its PEM key."""

    certificate: Path
    key: Path


def subject(name: str, group: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def write_key(key: ec.EllipticCurvePrivateKey, path: Path) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


class Authority:
    """A certificate authority in a folder; makes certificates beside its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = subject(name)
        self.pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self._save(certificate, self._key, self.pair)

    def issue(self, name: str, group: str = "", hosts: Sequence[str | IPv4Address] = ()) -> Pair:
        """A certificate for a client called so in a group, and for a server at the hosts."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(subject(name, group), key.public_key()).add_extension(
            x509.ExtendedKeyUsage(BOTH_WAYS), critical=False
        )
        if hosts:
            names = [x509.IPAddress(h) if isinstance(h, IPv4Address) else x509.DNSName(h) for h in hosts]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        pair = Pair(self.folder / f"{name.replace(':', '-')}.crt", self.folder / f"{name.replace(':', '-')}.key")
        self._save(builder.sign(self._key, hashes.SHA256()), key, pair)
        return pair

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - SKEW)
            .not_valid_after(now + LIFE)
        )

    @staticmethod
    def _save(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, pair: Pair) -> None:
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_key(key, pair.key)


def signing_pair(folder: Path) -> Pair:
    """A bare key pair: what service account tokens are signed and verified with."""
    key = ec.generate_private_key(ec.SECP256R1())
    pair = Pair(folder / "service-accounts.pub", folder / "service-accounts.key")
    write_key(key, pair.key)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    pair.certificate.write_bytes(public)
    return pair
