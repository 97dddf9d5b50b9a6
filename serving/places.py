"""Where the served models come from, as the command line names them: ``MODEL`` or ``NAME=MODEL``."""

import re
from dataclasses import dataclass

from clsp.registry.references import parse_reference, parse_uri

_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._@-]{0,127})=(.+)", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """``name`` is what requests call it ('' takes that of the model), ``uri`` a directory or STORE/models/…."""

    name: str
    uri: str

    @property
    def moves(self) -> bool:
        """Whether the name can come to mean another version by itself: an alias in a store."""
        parsed = parse_uri(self.uri)
        return parsed is not None and "@" in parsed[1]

    def name_for(self, model: str, taken: set[str]) -> str:
        """What the model of this place is called: its own name, with the label of the reference where that is taken."""
        own = self.name or model
        parsed = parse_uri(self.uri)
        if own not in taken or self.name or parsed is None:
            return own
        return f"{model}@{parse_reference(parsed[1]).label}"


def read_place(text: str) -> Place:
    """The place that an argument names."""
    named = _NAMED.fullmatch(text)
    return Place(named[1], named[2]) if named else Place("", text)
