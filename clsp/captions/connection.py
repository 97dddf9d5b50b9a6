"""Where an endpoint is and the key it wants: the address from the settings, the key from the environment alone."""

import os
import ssl
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

from clsp.errors import ConfigError

CAPTIONER_KEY, VERIFIER_KEY = "CLSP_CAPTIONER_API_KEY", "CLSP_VERIFIER_API_KEY"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Connection:
    """A chat endpoint: base URL ending in /v1, and the credential ('' for none), which is never shown."""

    url: str
    key: str = field(default="", repr=False)
    key_variable: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError("an endpoint's url is not http(s)://HOST/v1", hint="set captioner.url or verifier.url")
        if parts.username or parts.password:
            raise ConfigError(
                "an endpoint's url holds credentials", hint=f"give them as {self.key_variable or 'a variable'}"
            )
        if not (self.key.isascii() and self.key.isprintable()):
            raise ConfigError(f"{self.key_variable} holds characters a key cannot have", hint="set it again, one line")

    @property
    def chat_url(self) -> str:
        """Where chat requests go."""
        return f"{self.url.rstrip('/')}/chat/completions"

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request."""
        credentials = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return {"Content-Type": "application/json", "Accept-Encoding": "identity", **credentials}

    @cached_property
    def tls(self) -> ssl.SSLContext | bool:
        """What an https:// endpoint must prove; made once: loading the authorities takes a tenth of a second."""
        return ssl.create_default_context() if urlsplit(self.url).scheme == "https" else True

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine, where no proxy may come between."""
        return urlsplit(self.url).hostname in _LOOPBACK


def connect(url: str, key_variable: str) -> Connection:
    """The connection to ``url`` with the key that the environment variable holds, if it does."""
    return Connection(url, os.environ.get(key_variable, "").strip(), key_variable)


def connect_all(urls: str, key_variable: str) -> tuple[Connection, ...]:
    """The connections to all ``urls``, separated by commas; they take the same key."""
    return tuple(connect(url.strip(), key_variable) for url in urls.split(","))
