"""Recordings for tests, made from numbers: speech-like bursts with pauses, in every container."""

import io
import tempfile
from pathlib import Path

import av
import numpy as np
import soundfile

from clsp.audio.encode import to_pcm16

LOSSLESS = ("wav16", "wav24", "wav32", "wavfloat", "wavdouble", "wavex", "flac", "flac24")
LOSSY = ("ulaw", "mp3", "ogg", "opus", "m4a", "aac", "webm")
CONTAINERS = LOSSLESS + LOSSY

_SNDFILE = {
    "wav16": ("WAV", "PCM_16"), "wav24": ("WAV", "PCM_24"), "wav32": ("WAV", "PCM_32"), "wavfloat": ("WAV", "FLOAT"),
    "wavdouble": ("WAV", "DOUBLE"), "wavex": ("WAVEX", "PCM_24"), "ulaw": ("WAV", "ULAW"), "flac": ("FLAC", "PCM_16"),
    "flac24": ("FLAC", "PCM_24"), "mp3": ("MP3", None), "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"),
}  # fmt: skip
_FFMPEG = {"m4a": ("ipod", "aac"), "aac": ("adts", "aac"), "webm": ("webm", "libopus")}


def tone(seconds: float, rate: int = 16_000, hertz: float = 220.0, channels: int = 1, level: float = 0.5) -> np.ndarray:
    """A sine of (n,) or (n, channels) float32 samples."""
    wave = level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32) if channels > 1 else wave.astype(np.float32)


def babble(seconds: float, rate: int = 16_000, seed: int = 0, level: float = 0.2) -> np.ndarray:
    """Bursts of noise of 1 to 3 s with pauses of 0.2 to 0.8 s between them, (n,) float32."""
    rng = np.random.default_rng(seed)
    parts, length = [], 0
    while length < seconds * rate:
        burst = rng.normal(0, level, round(rng.uniform(1, 3) * rate)).clip(-0.9, 0.9)
        pause = rng.normal(0, 1e-4, round(rng.uniform(0.2, 0.8) * rate))
        parts += [burst, pause]
        length += len(burst) + len(pause)
    return np.concatenate(parts)[: round(seconds * rate)].astype(np.float32)


def encoded(samples: np.ndarray, rate: int, container: str) -> bytes:
    """``samples`` in one of ``CONTAINERS``."""
    if container in _SNDFILE:
        kind, subtype = _SNDFILE[container]
        buffer = io.BytesIO()
        if subtype == "PCM_16":  # libsndfile's own rounding differs from one container to the next
            samples = to_pcm16(samples)
        soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
        return buffer.getvalue()
    return _ffmpeg_encoded(samples, rate, *_FFMPEG[container])


def _ffmpeg_encoded(samples: np.ndarray, rate: int, muxer: str, codec: str) -> bytes:
    planes = np.ascontiguousarray(samples.reshape(len(samples), -1).T)
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(planes)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound"
        with av.open(str(path), "w", format=muxer) as container:
            stream = container.add_stream(codec, rate=rate, layout=layout)
            frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
            frame.sample_rate = rate
            fifo = av.AudioFifo()
            fifo.write(frame)
            for part in fifo.read_many(stream.frame_size or 1024, partial=True):
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))
        return path.read_bytes()


def write(path: Path, samples: np.ndarray, rate: int = 16_000, container: str = "wav16") -> Path:
    """``samples`` as a file, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(samples, rate, container))
    return path
