"""The client of the embedding server: texts and sound files in, float32 arrays out; blocking and async alike.

Both wait and try again as the server asks, within one deadline a call, and say how far bulk work is.
"""

from serving.client.asynchronous import AsyncEmbeddingClient
from serving.client.blocking import EmbeddingClient
from serving.client.messages import Sound, Vectors, audio_part
from serving.client.retries import Retries

__all__ = ["AsyncEmbeddingClient", "EmbeddingClient", "Retries", "Sound", "Vectors", "audio_part"]
