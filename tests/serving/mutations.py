"""Requests gone wrong, from a seed: bytes of every sound format, JSON bodies, tensors, headers and gRPC messages."""

import base64
import io
import json
import random
import struct
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
import soundfile
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.tiny_model import tone

SAMPLES = tone(0.3)
ODD = [
    None, True, -1, 0, 1e308, 2**63, -(2**63), "", " ", "\x00", "\u202e", "é" * 300, [], {}, [[]], [None], {"a": {}},
    "data:audio/wav;base64,AAAA", "http://127.0.0.1/x.wav", "../../etc/passwd", "A" * 5000, [1, 2, 3], "NaN",
]  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One HTTP request."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def sounds() -> dict[str, bytes]:
    """A third of a second in every container that the server knows."""
    made = {}
    for name, container, subtype in (
        ("wav", "WAV", "PCM_16"), ("wav24", "WAV", "PCM_24"), ("float", "WAV", "FLOAT"), ("flac", "FLAC", "PCM_16"),
        ("ogg", "OGG", "VORBIS"), ("opus", "OGG", "OPUS"), ("mp3", "MP3", "MPEG_LAYER_III"),
    ):  # fmt: skip
        file = io.BytesIO()
        soundfile.write(file, SAMPLES, 16_000, format=container, subtype=subtype)
        made[name] = file.getvalue()
    return made | {"m4a": m4a()}


def m4a() -> bytes:
    """AAC in an MPEG-4 container."""
    file = io.BytesIO()
    with av.open(file, "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        for number in range(len(SAMPLES) // 1024):
            block = SAMPLES[number * 1024 : (number + 1) * 1024]
            frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 16_000, number * 1024, Fraction(1, 16_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def bent(data: bytes, dice: random.Random) -> bytes:
    """``data`` with a few mutations."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        if not out:
            break
        place = dice.choice((dice.randrange(len(out)), dice.randrange(min(len(out), 64))))
        match dice.randrange(7):
            case 0:
                out[place] = dice.randrange(256)
            case 1:
                del out[place:]
            case 2:
                del out[place : place + dice.randint(1, 40)]
            case 3:
                out[place:place] = dice.randbytes(dice.randint(1, 40))
            case 4:
                out[place : place + 4] = struct.pack("<I", dice.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 10**9)))
            case 5:
                out[place : place + 4] = struct.pack(">I", dice.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 10**9)))
            case 6:
                out[place:place] = out[: dice.randint(1, 200)]
    return bytes(out)


def bent_json(value: object, dice: random.Random) -> object:
    """A document with one place changed, dropped, doubled or buried."""
    if isinstance(value, dict) and value and dice.random() < 0.8:
        key = dice.choice(list(value))
        changed = dict(value)
        match dice.randrange(4):
            case 0:
                del changed[key]
            case 1:
                changed[dice.choice(("surprise", key.upper(), ""))] = dice.choice(ODD)
            case _:
                changed[key] = bent_json(value[key], dice)
        return changed
    if isinstance(value, list) and value and dice.random() < 0.7:
        place = dice.randrange(len(value))
        return dice.choice(
            ([*value[:place], bent_json(value[place], dice), *value[place + 1 :]], value * 5, value[:place])
        )
    if isinstance(value, str) and value and dice.random() < 0.4:
        return bent(value.encode(), dice).decode("latin-1")
    if dice.random() < 0.1:
        buried: object = value
        for _ in range(dice.choice((10, 500))):
            buried = [buried]
        return buried
    return dice.choice(ODD)


class Mutations:
    """Endless bad requests of one seed."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._sounds = list(sounds().values())
        part = {"type": "input_audio", "input_audio": {"data": _text(self._sounds[0]), "format": "wav"}}
        self._documents = [
            ("/v1/embeddings", {"model": "clsp", "input": ["a calm voice", part], "encoding_format": "float"}),
            ("/v1/embeddings", {"input": [part], "long": "windows", "timeline": True, "dimensions": 128}),
            ("/v1/similarity", {"texts": ["a calm voice"], "clips": [part]}),
            ("/v1/style-score", {"pairs": [{"clip": part, "text": "a calm voice"}]}),
            ("/v1/models/clsp:predict", {"instances": ["a calm voice", part]}),
            ("/v2/models/clsp/infer", {"inputs": _tensors(self._sounds[0])}),
        ]

    def http(self) -> Request:
        """The next request over HTTP."""
        dice = self._dice
        kind = dice.random()
        if kind < 0.5:
            data = bent(dice.choice(self._sounds), dice)
            return _request(
                "/v1/embeddings", {"input": [{"type": "input_audio", "input_audio": {"data": _text(data)}}]}
            )
        path, document = dice.choice(self._documents)
        if kind < 0.75:
            return _request(path, bent_json(document, dice))
        if kind < 0.9:
            return Request(path, bent(json.dumps(document).encode(), dice))
        return Request(path, json.dumps(document).encode(), self._headers())

    def grpc(self) -> bytes:
        """The next message of ``ModelInfer``."""
        dice = self._dice
        types = ("FP32", "INT64", "BYTES", "?")
        tensors = [
            pb.ModelInferRequest.InferInputTensor(
                name="audio", datatype="BYTES", shape=[1],
                contents=pb.InferTensorContents(bytes_contents=[bent(dice.choice(self._sounds), dice)]),
            ),
            pb.ModelInferRequest.InferInputTensor(
                name=dice.choice(("waveform", "lengths", "text")), datatype=dice.choice(types),
                shape=[dice.choice((0, 1, -1, 2**40)), dice.choice((1, 2, 10**9))],
                contents=pb.InferTensorContents(fp32_contents=[float("nan"), 1.0]),
            ),
        ]  # fmt: skip
        chosen = [tensor for tensor in tensors if dice.random() < 0.7]
        raw = [dice.randbytes(dice.randint(0, 40))] if dice.random() < 0.3 else []
        message = pb.ModelInferRequest(model_name="clsp", inputs=chosen, raw_input_contents=raw).SerializeToString()
        return bent(message, dice) if dice.random() < 0.5 else message

    def _headers(self) -> dict[str, str]:
        dice = self._dice
        odd = ("", "0", "-1", "99999999999999999999", "nan", "x" * 2000, "\x7f", "a b", "application/x-ndjson")
        names = (
            "content-type", "inference-header-content-length", "x-request-timeout", "x-request-id", "authorization",
            "if-none-match", "traceparent", "accept-encoding", "ce-id", "ce-source", "ce-specversion", "ce-type",
        )  # fmt: skip
        return {name: dice.choice(odd) for name in dice.sample(names, dice.randint(1, 5))}


def _request(path: str, document: object) -> Request:
    return Request(path, json.dumps(document).encode())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _tensors(sound: bytes) -> list[dict[str, object]]:
    return [
        {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a calm voice"]},
        {"name": "audio", "shape": [1], "datatype": "BYTES", "data": [_text(sound)]},
        {"name": "waveform", "shape": [1, 1600], "datatype": "FP32", "data": np.zeros(1600).tolist()},
        {"name": "lengths", "shape": [1], "datatype": "INT64", "data": [1600]},
    ]
