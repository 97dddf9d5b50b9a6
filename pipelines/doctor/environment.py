"""This Python: which parts of the platform can run in it, on which device, and which audio it decodes."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from pipelines.doctor.records import Finding, fails, skipped, works

PART = "Python"
# Extra → a module that only it brings.
EXTRAS = {
    "audio": "soundfile",
    "describer": "uvicorn",
    "model": "torch",
    "quality": "great_expectations",
    "features": "feast",
    "pipelines": "kfp",
    "kubernetes": "kubernetes",
    "serving": "kserve",
}
CODECS = {"mp3": "mp3", "aac": "m4a", "opus": "opus", "flac": "flac", "vorbis": "ogg"}


def check_environment() -> list[Finding]:
    """Extras, torch with its device, codecs."""
    return list(_findings())


def _findings() -> Iterator[Finding]:
    missing = [extra for extra, module in EXTRAS.items() if find_spec(module) is None]
    there = ", ".join(extra for extra in EXTRAS if extra not in missing)
    yield works(PART, f"clsp {_version('clsp-platform')} with {there or 'no extras'}")
    if missing:
        listed = ",".join(missing)
        mend = f"pip install 'clsp-platform[{listed}]', where they are needed; each image has only its own"
        yield skipped(PART, f"without {', '.join(missing)}", mend)
    if "model" not in missing:
        yield _torch()
    if "audio" not in missing:
        yield _audio()


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return fails("torch", f"{type(error).__name__}: {error}", "make setup, or TORCH=cpu make setup without a GPU")
    device = f"{torch.cuda.device_count()} GPUs" if torch.cuda.is_available() else "CPU"
    return works("torch", f"{torch.__version__} on {device}")


def _audio() -> Finding:
    try:
        import av
        import soundfile
    except (ImportError, OSError) as error:
        return fails("audio", f"{type(error).__name__}: {error}", "pip install --force-reinstall av soundfile")
    lacking = [name for codec, name in CODECS.items() if codec not in av.codecs_available]
    if lacking:
        return fails("audio", f"cannot decode {', '.join(lacking)}", "pip install --force-reinstall av, as a wheel")
    return works("audio", f"{', '.join(CODECS.values())}; libsndfile {soundfile.__libsndfile_version__}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "from a checkout"
