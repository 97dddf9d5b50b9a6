"""KServe's own protocols: V1 ``:predict``, V2 REST and V2 gRPC, translated to the service's inputs and back.

V2 inputs, at most one of each, embedded in this order: ``text`` BYTES (N); ``audio`` BYTES (N), container bytes over
gRPC and base64 over REST (KServe reads strings there); ``waveform`` FP32 (N, T) with ``sampling_rate`` as a parameter
(default 16000) and optional ``lengths`` INT64 (N). Output: ``embedding`` FP32 (N, D); parameters: version and hash.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from clsp.audio.fbank import SAMPLING_RATE
from serving.calls import current_asker
from serving.catalogue import Catalogue, Served
from serving.errors import RequestError, bad_request
from serving.inputs import AudioInput, Input, WaveformInput, check_count, check_text, parse_inputs
from serving.kserve_sdk import InferOutput, InferRequest, InferResponse, Model
from serving.service import EmbeddingService

_INPUTS = ("text", "audio", "waveform", "lengths")
_HINT = "send text BYTES [N], audio BYTES [N] or waveform FP32 [N, T] with lengths INT64 [N]"


class EmbedderModel(Model):  # type: ignore[misc]
    """One served name as KServe sees it; the version behind it is that of the moment a request comes."""

    def __init__(self, name: str, catalogue: Catalogue, service: EmbeddingService) -> None:
        super().__init__(name)
        self._catalogue = catalogue
        self._service = service
        self.ready = True

    async def predict(self, payload: Any, headers: dict[str, str] | None = None) -> Any:  # noqa: ARG002
        """Answer a V1 body (``{"instances": [...]}``) or a V2 request."""
        served = self._catalogue.pick(self.name)
        if isinstance(payload, InferRequest):
            return await self._infer(served, payload)
        if not isinstance(payload, dict) or not isinstance(payload.get("instances"), list):
            raise bad_request("bad_request", "the body has no list 'instances'", 'send {"instances": [...]} as JSON')
        inputs = parse_inputs(payload["instances"], self._service.settings)
        embedded = await self._service.embed(served, inputs, asker=current_asker())
        return {
            "predictions": embedded.vectors.tolist(),
            "model_version": served.identity.version,
            "model_sha256": served.identity.sha256,
        }

    async def _infer(self, served: Served, request: InferRequest) -> InferResponse:
        inputs = list(_read(request, self._service))
        vectors = (await self._service.embed(served, inputs, asker=current_asker())).vectors
        output = InferOutput("embedding", list(vectors.shape), "FP32", parameters=None)
        output.set_data_from_numpy(vectors, binary_data=request.use_binary_outputs)
        identity = served.identity
        return InferResponse(
            response_id=request.id or "",
            model_name=self.name,
            model_version=identity.version,
            infer_outputs=[output],
            parameters={"model_version": identity.version, "model_sha256": identity.sha256},
            use_binary_outputs=request.use_binary_outputs,
            requested_outputs=request.request_outputs,
        )

    def get_input_types(self) -> list[dict[str, Any]]:
        """The inputs for ``GET /v2/models/NAME``."""
        return [
            {"name": "text", "datatype": "BYTES", "shape": [-1]},
            {"name": "audio", "datatype": "BYTES", "shape": [-1]},
            {"name": "waveform", "datatype": "FP32", "shape": [-1, -1]},
            {"name": "lengths", "datatype": "INT64", "shape": [-1]},
        ]

    def get_output_types(self) -> list[dict[str, Any]]:
        """The output for ``GET /v2/models/NAME``."""
        return [
            {"name": "embedding", "datatype": "FP32", "shape": [-1, self._catalogue.pick(self.name).model.dimension]}
        ]


def _read(request: InferRequest, service: EmbeddingService) -> Iterator[Input]:
    names = [item.name for item in request.inputs]
    if len(set(names)) != len(names) or set(names) - set(_INPUTS) or not set(names) - {"lengths"}:
        raise bad_request("bad_inputs", "inputs are missing, doubled or unknown", _HINT)
    tensors = {item.name: item for item in request.inputs}
    arrays = {name: _array(tensor) for name, tensor in tensors.items()}
    count = sum(len(arrays[name]) for name in arrays if name != "lengths")
    if not count:
        raise bad_request("bad_inputs", "the inputs are empty", _HINT)
    check_count(count, service.settings)
    for place, value in enumerate(arrays.get("text", ())):
        yield check_text(_decoded(value, place), place, service.settings)
    for value in arrays.get("audio", ()):
        yield AudioInput(value)
    if "waveform" in arrays:
        rate = (tensors["waveform"].parameters or {}).get("sampling_rate", SAMPLING_RATE)
        yield from _waveforms(arrays["waveform"], arrays.get("lengths"), rate)


def _array(tensor: Any) -> Any:
    """The values of a tensor: a list of bytes or strings, or a numeric array of the right rank."""
    wanted = {"waveform": ("FP32", 2), "lengths": ("INT64", 1)}.get(tensor.name, ("BYTES", 1))
    if (tensor.datatype, len(tensor.shape)) != wanted:
        raise bad_request("bad_inputs", f"{tensor.name} must be {wanted[0]} of rank {wanted[1]}", _HINT)
    try:
        if tensor.datatype != "BYTES":
            return tensor.as_numpy()
        values = [] if tensor.data is None else list(tensor.data)
        raw = values or tensor.as_numpy().tolist()
    except (ValueError, TypeError, OverflowError) as error:
        raise bad_request("bad_inputs", f"{tensor.name} does not fit its shape and type", _HINT) from error
    if len(raw) != tensor.shape[0] or not all(isinstance(value, bytes | str) for value in raw):
        raise bad_request("bad_inputs", f"{tensor.name} does not fit its shape and type", _HINT)
    return raw


def _decoded(value: bytes | str, place: int) -> str:
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError as error:
        raise bad_request("bad_text", f"text {place} is not UTF-8", "send UTF-8 text") from error


def _waveforms(samples: Any, lengths: Any, rate: Any) -> Iterator[WaveformInput]:
    ends = [samples.shape[1]] * len(samples) if lengths is None else [int(length) for length in lengths]
    if len(ends) != len(samples) or any(not 0 < end <= samples.shape[1] for end in ends):
        raise bad_request("bad_inputs", "lengths do not fit waveform", _HINT)
    if not isinstance(rate, int) or not 4_000 <= rate <= 768_000:
        raise bad_request("bad_inputs", "sampling_rate is not a rate between 4 and 768 kHz", _HINT)
    for row, end in zip(samples, ends, strict=True):
        yield WaveformInput(np.ascontiguousarray(row[:end], np.float32), rate)


def forbidden(what: str) -> RequestError:
    """403 for a part of a protocol that is the operator's and no caller's."""
    return RequestError(403, "forbidden", f"{what} is not for callers", hint="the operator moves the alias it serves")
