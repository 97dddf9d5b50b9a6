"""``python -m serving.probe``: asks live endpoints for a real embedding; the release's own test after an install.

A server that is ready may still serve another model beside the one that was asked for, or vectors that no caller can
use; only an answer shows that it works.
"""

import argparse
import io
import os
import sys
import wave
from collections.abc import Mapping

import numpy as np

from clsp.errors import ClspError, EndpointError
from serving.client import EmbeddingClient, Vectors

KEY_VARIABLE = "CLSP_SERVING_API_KEY"  # where servers want a key: that of the release's own probes
TEXT = "a calm, elderly man"
_RATE = 16_000
_NORM_TOLERANCE = 1e-3


def probe(urls: Mapping[str, str], wait_seconds: float = 0.0) -> dict[str, Vectors]:
    """Vector of one sound from ``urls["speech"]`` and of one description from ``urls["text"]``, whichever there are.

    Each may take ``wait_seconds`` to become ready.

    ``EndpointError`` when one does not answer, is not of unit length, or the two are of different models.
    """
    found = {tower: _ask(tower, url, wait_seconds) for tower, url in urls.items()}
    for tower, (vector, _) in found.items():
        norm = float(np.linalg.norm(vector))
        if abs(norm - 1) > _NORM_TOLERANCE:
            raise EndpointError(f"{urls[tower]} gave a vector of length {norm:.4f}", hint="look at the server's log")
    if len({model for _, model in found.values()}) > 1:
        raise EndpointError(
            f"the endpoints serve different models: {', '.join(sorted(model for _, model in found.values()))}",
            hint="wait for the roll-out to end (kubectl get inferenceservices), or name one model for both",
        )
    return {tower: vector for tower, (vector, _) in found.items()}


def _ask(tower: str, url: str, wait_seconds: float) -> tuple[Vectors, str]:
    with EmbeddingClient(url, api_key=os.environ.get(KEY_VARIABLE, "")) as client:
        if wait_seconds:
            client.wait_ready(wait_seconds)
        vectors = client.embed_audio([tone()]) if tower == "speech" else client.embed_texts([TEXT])
        return vectors[0], str(client.describe()["sha256"])


def tone() -> bytes:
    """One second of 220 Hz as a WAV file."""
    samples = (8000 * np.sin(2 * np.pi * 220 * np.arange(_RATE) / _RATE)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(_RATE)
        sound.writeframes(samples.tobytes())
    return file.getvalue()


def main(arguments: list[str] | None = None) -> int:
    """Probe the endpoints that are named; 0 when all of them answer."""
    parser = argparse.ArgumentParser(prog="python -m serving.probe", description="Ask live endpoints for an embedding")
    parser.add_argument("--speech", help="URL of the endpoint that embeds speech")
    parser.add_argument("--text", help="URL of the endpoint that embeds descriptions")
    parser.add_argument("--wait", type=float, default=0.0, help="seconds that an endpoint may take to become ready")
    chosen = parser.parse_args(arguments)
    urls = {tower: url for tower, url in (("speech", chosen.speech), ("text", chosen.text)) if url}
    try:
        vectors = probe(urls, chosen.wait)
    except ClspError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    for tower, vector in vectors.items():
        sys.stdout.write(f"{tower}: {urls[tower]} embeds, {len(vector)} dimensions, unit length\n")
    if len(vectors) > 1:
        cosine = float(vectors["speech"] @ vectors["text"])
        sys.stdout.write(f"cosine of a tone and {TEXT!r}: {cosine:+.4f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
