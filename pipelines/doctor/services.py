"""Services beside the cluster: KFP, Prometheus and Grafana answer where the release says they are."""

import os
from typing import Any

import httpx

from clsp.errors import ClspError
from pipelines.doctor.records import Finding, Release, fails, skipped, warns, works

KFP, PROMETHEUS, GRAFANA = "KFP", "Prometheus", "Grafana"
OLDEST_KFP = (2, 14)
_SECONDS = 5.0


def check_kfp(release: Release) -> list[Finding]:
    """The API answers, and its version runs the compiled flows."""
    if not release.kfp.url:
        return [skipped(KFP, "no API is named: flows run on this machine", "give --kfp URL, or set kfp.url")]
    from pipelines.remote.calls import connect
    from pipelines.remote.placement import judge_placement

    settings = release.kfp.model_copy(update={"attempts": 1, "timeout_seconds": int(_SECONDS)})
    try:
        calls = connect(settings)
        health = calls.read(calls.client._healthz_api.healthz_service_get_healthz)
    except ClspError as error:
        return [fails(KFP, Exception.__str__(error), error.hint)]
    tag = str(getattr(health, "tag_name", "") or "")
    version = tuple(int(part) for part in tag.split(".")[:2] if part.isdigit())
    if len(version) == 2 and version < OLDEST_KFP:
        return [fails(KFP, f"{settings.url} is version {tag}", "upgrade KFP to 2.17: the flows are compiled for it")]
    several = bool(getattr(health, "multi_user", False))
    answers = works(KFP, f"{settings.url}, version {tag or 'unknown'}{', for several users' if several else ''}")
    wrong = judge_placement(settings, release.cluster, several_users=several)
    return [answers, warns(KFP, *wrong)] if wrong else [answers]


def check_prometheus(release: Release) -> list[Finding]:
    """Prometheus is ready and has series of ours."""
    if not release.prometheus:
        return [skipped(PROMETHEUS, "no URL is named", "set CLSP_PROMETHEUS_URL to look at it")]
    answer = _get(f"{release.prometheus.rstrip('/')}/api/v1/query", PROMETHEUS, query="count(up)")
    if isinstance(answer, Finding):
        return [answer]
    if answer.get("status") != "success":
        return [fails(PROMETHEUS, f"{release.prometheus} is no Prometheus", "set CLSP_PROMETHEUS_URL to its base URL")]
    build = _get(f"{release.prometheus.rstrip('/')}/api/v1/status/buildinfo", PROMETHEUS)
    version = "unknown" if isinstance(build, Finding) else build.get("data", {}).get("version", "unknown")
    return [works(PROMETHEUS, f"{release.prometheus}, version {version}")]


def check_grafana(release: Release) -> list[Finding]:
    """Grafana is healthy, and its token is known when boards are to be pushed."""
    if not release.grafana:
        told = "boards come as ConfigMaps" if release.uses.grafana else "no URL is named"
        return [skipped(GRAFANA, told, "set CLSP_GRAFANA_URL to look at it")]
    answer = _get(f"{release.grafana.rstrip('/')}/api/health", GRAFANA)
    if isinstance(answer, Finding):
        return [answer]
    if not os.environ.get("CLSP_GRAFANA_TOKEN"):
        told = f"{release.grafana}, version {answer.get('version', 'unknown')}; there is no token"
        return [warns(GRAFANA, told, "set CLSP_GRAFANA_TOKEN to push boards, or leave them to the sidecar")]
    return [works(GRAFANA, f"{release.grafana}, version {answer.get('version', 'unknown')}")]


def _get(url: str, part: str, **query: str) -> dict[str, Any] | Finding:
    """The JSON object at ``url``, or the finding that there is none."""
    try:
        response = httpx.get(url, params=query, timeout=_SECONDS)
        answer = response.raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        says = f"{url} does not answer as {part} does: {type(error).__name__} {error}".splitlines()[0]
        return fails(part, says, f"correct CLSP_{part.upper()}_URL, or let doctor's pod reach it (networkPolicy)")
    return answer if isinstance(answer, dict) else fails(part, f"{url} is not {part}", f"CLSP_{part.upper()}_URL")
