"""What locust's users do: descriptions and clips, one a request, as fast as they are answered."""

import base64
import json

from locust import FastHttpUser, task

from tests.tiny_model import TEXTS, encoded, tone

CLIP = {"type": "input_audio", "input_audio": {"data": base64.b64encode(encoded(tone(1.0))).decode()}}


class Caller(FastHttpUser):
    """Asks for vectors; any answer without one is a failure."""

    @task
    def embed_a_description(self):
        self._embed("text", TEXTS[0])

    @task
    def embed_a_clip(self):
        self._embed("clip", CLIP)

    def _embed(self, name, item):
        with self.client.post("/v1/embeddings", json={"input": [item]}, name=name, catch_response=True) as answer:
            if answer.status_code != 200 or not json.loads(answer.text)["data"][0]["embedding"]:
                answer.failure(f"status {answer.status_code}")
