"""Asks both endpoints for a real embedding: `helm test` runs it in the step image, with nothing but the standard library."""

import base64
import io
import json
import math
import os
import struct
import sys
import urllib.error
import urllib.request
import wave


def tone() -> str:
    """One second of a 220 Hz tone as base64 of a WAV file."""
    samples = [int(8000 * math.sin(2 * math.pi * 220 * place / 16000)) for place in range(16000)]
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return base64.b64encode(file.getvalue()).decode()


def embed(url: str, item: object) -> list[float]:
    """The vector of one input; it must have unit length."""
    body = json.dumps({"model": "", "input": [item]}).encode()
    request = urllib.request.Request(f"{url}/v1/embeddings", body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            vector = json.load(answer)["data"][0]["embedding"]
    except urllib.error.HTTPError as error:
        sys.exit(f"{url} answered {error.code}: {error.read().decode(errors='replace')[:500]}")
    except OSError as error:
        sys.exit(f"{url} cannot be reached ({error}): kubectl get inferenceservices,pods says why")
    norm = math.sqrt(sum(value * value for value in vector))
    if abs(norm - 1) > 1e-3:
        sys.exit(f"{url} gave a vector of length {norm:.4f}, not 1: look at the server's log")
    return vector


inputs = {
    "SPEECH_URL": {"type": "input_audio", "input_audio": {"data": tone(), "format": "wav"}},
    "TEXT_URL": "a calm, elderly man",
}
vectors = {name: embed(os.environ[name], item) for name, item in inputs.items() if name in os.environ}
for name, vector in vectors.items():
    print(f"{os.environ[name]} embeds: {len(vector)} dimensions, unit length")
if len(vectors) == 2:
    if len({len(vector) for vector in vectors.values()}) != 1:
        sys.exit("the endpoints serve models of different dimensions: set one serving.model.uri for both")
    speech, text = vectors.values()
    print(f"cosine of a tone and a description: {sum(a * b for a, b in zip(speech, text, strict=True)):+.4f}")
