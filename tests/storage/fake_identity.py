"""Services that hand out credentials for a while: AWS' STS for a web identity, and the agent of EKS Pod Identity.

They answer in the shapes that AWS documents, refuse as it does, and hand out the keys of a real S3 server.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

from tests.http_listener import listening

GIVEN = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><AssumedRoleUser><Arn>{role}/session</Arn></AssumedRoleUser>
<Credentials><AccessKeyId>{access}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>
<SessionToken>{token}</SessionToken><Expiration>{until}</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""
REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>{code}</Code><Message>refused</Message></Error></ErrorResponse>"""


@dataclass
class Identity:
    """What the service knows, and what it was asked.

    Attributes:
        token: the one that it takes.
        lasting: for how long it gives credentials.
        down: answers 503 to everything.
        asked: fields of each request, or the Authorization header for the agent.
    """

    access: str
    secret: str
    token: str = "a-signed-token"
    role: str = "arn:aws:iam::111122223333:role/clsp"
    lasting: timedelta = timedelta(hours=1)
    session: str = ""
    down: bool = False
    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def until(self) -> str:
        return (datetime.now(UTC) + self.lasting).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Handler(BaseHTTPRequestHandler):
    identity: Identity

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        assert "?" not in self.path, "a token in a URL gets into logs"
        fields = {name: values[0] for name, values in parse_qs(body).items()}
        identity = self.identity
        identity.asked.append(fields)
        if identity.down:
            self._answer(503, "")
        elif fields["Action"] != "AssumeRoleWithWebIdentity" or fields["Version"] != "2011-06-15":
            self._answer(400, REFUSED.format(code="InvalidAction"))
        elif fields["WebIdentityToken"] != identity.token:
            self._answer(400, REFUSED.format(code="InvalidIdentityToken"))
        elif fields["RoleArn"] != identity.role or not fields["RoleSessionName"]:
            self._answer(403, REFUSED.format(code="AccessDenied"))
        else:
            told = {"role": identity.role, "access": identity.access, "secret": identity.secret}
            self._answer(200, GIVEN.format(**told, token=identity.session, until=identity.until))

    def do_GET(self) -> None:
        identity, shown = self.identity, self.headers.get("Authorization", "")
        identity.asked.append({"Authorization": shown})
        if identity.down or shown != identity.token:
            self._answer(503 if identity.down else 403, "")
            return
        given = {"AccessKeyId": identity.access, "SecretAccessKey": identity.secret, "Token": identity.session}
        self._answer(200, json.dumps({**given, "Expiration": identity.until}))

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serve_identity(identity: Identity) -> Iterator[Identity]:
    """The service in a thread of this process; its URL is in ``identity.url``."""
    handler = type("Handler", (_Handler,), {"identity": identity})
    with listening(handler) as identity.url:
        yield identity
