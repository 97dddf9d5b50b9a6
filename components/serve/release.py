"""Rolling a version out by canary: it serves a share of the calls while it is watched, and then all of them or none.

At any moment of a release every call has an answer: the stable version leaves only once its successor has taken over,
and whatever stops the release (a bad canary, an error, SIGTERM) puts back the specification before, and the alias.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace

from clsp.config import ServeSettings
from clsp.config.cluster import ClusterSettings
from clsp.errors import ClusterError, EndpointError
from clsp.logs import get_logger
from components.kubernetes.cancelling import cancelling
from components.kubernetes.client import Cluster
from components.kubernetes.objects import Object, Ref
from components.serve.canary import canary_deployment, promoting, refuse_old_kserve, successor, with_canary
from components.serve.deployment import Reach, roll_back, wait_answer, wait_rolled_out
from components.serve.endpoints import TOWERS, Endpoint, revision
from components.serve.followed import Alias, followed_alias, moved, refuse_followers
from components.serve.ownership import give_back
from components.serve.probe import Probe
from components.serve.watching import ONE_TRY, Seen, look, what_is_wrong
from serving.client import EmbeddingClient

log = get_logger(__name__)
_CALL_SECONDS = 30.0  # a call of the watch that takes longer has failed


@dataclass(frozen=True)
class Rollout:
    """One release: where, of what, watched how."""

    cluster: Cluster
    where: ClusterSettings
    probe: Probe
    reach: Reach
    api_key: str = ""


def release(rollout: Rollout, settings: ServeSettings, uri: str) -> list[Alias]:
    """Release the version at ``uri`` (no alias) to both endpoints; the aliases that mean it now, for they are served.

    ``EndpointError`` says why it was rolled back; ``ClusterError`` why it was not begun (an older KServe, no stable
    version, another canary, an alias that means the version already).
    """
    cluster, where = rollout.cluster, rollout.where
    refuse_old_kserve(cluster)
    endpoints = [Endpoint(tower, uri, rollout.probe.sha256, settings, where) for tower in TOWERS]
    before = {endpoint.ref: _stable(cluster, endpoint) for endpoint in endpoints}
    follows = [followed_alias(before[endpoint.ref], uri) for endpoint in endpoints]
    aliases = sorted({alias for alias in follows if alias}, key=lambda alias: alias.label)
    refuse_followers(aliases, rollout.probe.version)
    trial = [successor(before[endpoint.ref], endpoint) for endpoint in endpoints]
    final = [
        successor(before[endpoint.ref], replace(endpoint, uri=alias.uri if alias else uri))
        for endpoint, alias in zip(endpoints, follows, strict=True)
    ]
    with cancelling(lambda: _back(cluster, before)):
        both = _try_out(rollout, endpoints, before, trial)
        with moved(aliases, rollout.probe.version):
            _promote(rollout, endpoints, [promoting(one, item) for one, item in zip(both, final, strict=True)])
            for item in final:
                cluster.apply(item)
    for endpoint in endpoints:
        give_back(cluster, endpoint.ref)
    log.info("version_promoted", version=rollout.probe.version, aliases=[alias.uri for alias in aliases])
    return aliases


def _try_out(
    rollout: Rollout, endpoints: Sequence[Endpoint], before: Mapping[Ref, Object], trial: Sequence[Object]
) -> list[Object]:
    """Each endpoint with its canary, which was watched and did well; ``EndpointError`` when it did not."""
    cluster, where = rollout.cluster, rollout.where
    deadline = time.monotonic() + where.serve.timeout_seconds
    both = [
        cluster.apply(with_canary(before[endpoint.ref], item, where.serve.release.percent))
        for endpoint, item in zip(endpoints, trial, strict=True)
    ]
    for endpoint, item in zip(endpoints, trial, strict=True):
        wait_rolled_out(cluster, endpoint, revision(item["metadata"]), deadline, canary_deployment(endpoint))
    log.info("canary_serves", version=rollout.probe.version, percent=where.serve.release.percent)
    _watch(rollout, endpoints)
    return both


def _back(cluster: Cluster, before: Mapping[Ref, Object]) -> None:
    """Everything as it was, and the chart's."""
    roll_back(cluster, before)
    for ref in before:
        give_back(cluster, ref)


def _stable(cluster: Cluster, endpoint: Endpoint) -> Object:
    found = cluster.get(endpoint.ref)
    if found is None:
        raise ClusterError(
            f"there is no {endpoint.ref} to release to", hint="deploy a first version: clsp run, or helm install"
        )
    if found["spec"].get("canary"):
        raise ClusterError(
            f"{endpoint.ref} already has a canary",
            hint="wait for that release, or remove spec.canary of a dead one",
        )
    return found


@dataclass(frozen=True)
class _Pair:
    """Canary and stable version of one endpoint: how they are asked, and what was seen of them."""

    endpoint: Endpoint
    ask_canary: EmbeddingClient
    ask_stable: EmbeddingClient
    canary: Seen = field(default_factory=Seen)
    stable: Seen = field(default_factory=Seen)

    def look(self, probe: Probe) -> None:
        """Ask both once more."""
        look(self.canary, self.ask_canary, lambda client: _distance(probe, self.endpoint, client))
        look(self.stable, self.ask_stable, lambda client: _alive(probe, self.endpoint, client))


def _watch(rollout: Rollout, endpoints: Sequence[Endpoint]) -> None:
    """Ask canary and stable version side by side for the time of the watch; ``EndpointError`` once one is worse."""
    limits = rollout.where.serve.release
    with ExitStack() as stack:
        pairs = [_pair(rollout, endpoint, stack) for endpoint in endpoints]
        for pair in pairs:  # a Service may route to a pod a moment later than its Deployment says
            with suppress(EndpointError):
                pair.ask_canary.wait_ready(rollout.where.serve.answer_seconds)
        deadline = time.monotonic() + limits.watch_seconds
        while (left := deadline - time.monotonic()) > 0:
            for pair in pairs:
                pair.look(rollout.probe)
            _judge(rollout, pairs, over=False)
            time.sleep(min(limits.tick_seconds, max(0.0, left)))
        _judge(rollout, pairs, over=True)


def _judge(rollout: Rollout, pairs: Sequence[_Pair], *, over: bool) -> None:
    for pair in pairs:
        if wrong := what_is_wrong(pair.canary, pair.stable, rollout.where.serve.release, over=over):
            raise EndpointError(
                f"version {rollout.probe.version} was rolled back from {pair.endpoint.name}: {wrong}",
                hint="the stable version serves on; see the log of the canary's pods",
            )


def _pair(rollout: Rollout, endpoint: Endpoint, stack: ExitStack) -> _Pair:
    """Clients of canary and stable version, which try once: here an error is a finding."""

    def client(service: str) -> EmbeddingClient:
        url = stack.enter_context(rollout.reach(service))
        made = EmbeddingClient(url, timeout=_CALL_SECONDS, api_key=rollout.api_key, retries=ONE_TRY)
        return stack.enter_context(made)

    return _Pair(endpoint, client(canary_deployment(endpoint).name), client(endpoint.deployment.name))


def _distance(probe: Probe, endpoint: Endpoint, client: EmbeddingClient) -> float:
    """How far the canary's vector is from the model's own."""
    return probe.speech_distance(client) if endpoint.tower == "speech" else probe.text_distance(client)


def _alive(probe: Probe, endpoint: Endpoint, client: EmbeddingClient) -> float:
    """The stable version is another model: only that it answers counts."""
    client.embed_audio([probe.sound]) if endpoint.tower == "speech" else client.embed_texts([probe.text])
    return 0.0


def _promote(rollout: Rollout, endpoints: Sequence[Endpoint], items: Sequence[Object]) -> None:
    cluster, work = rollout.cluster, rollout.where.serve
    deadline = time.monotonic() + work.timeout_seconds
    for endpoint, item in zip(endpoints, items, strict=True):
        mark = revision(cluster.apply(item)["metadata"])
        wait_rolled_out(cluster, endpoint, mark, deadline)
        wait_answer(endpoint, rollout.probe, rollout.reach, work.answer_seconds)
