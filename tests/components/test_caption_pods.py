"""Annotation over several workers: each does its share, the ledger decides, and the manifest is that of one process."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import orjson
import pytest

from clsp.config import ClusterSettings
from clsp.errors import ConfigError, EndpointError, to_document
from clsp.storage import open_store
from clsp.storage.ledger import Ledger, Share
from clsp.storage.steps import step_key
from components.annotate.main import make_work, run
from components.captioning.following import complete_on
from components.captioning.job import CaptionJob, engine_command, indexed_job
from components.captioning.work import add_up, do_here
from components.captioning.worker import main
from components.kubernetes.objects import POD, labels_of, new_object
from components.kubernetes.pods import QUEUE_LABEL
from components.verify.main import make_work as make_verify_work
from tests.captioning import QUICK, describer, describing, save_voices
from tests.cluster.harness.waiting import until
from tests.components.kubernetes.fake_api import fake_cluster
from tests.components.kubernetes.manifests import check

JOBS = "/apis/batch/v1/namespaces/team-a/jobs"
PODS = "/api/v1/namespaces/team-a/pods"


def settings(url="embedded", workers=None, **endpoint):
    captioner = {**QUICK, "url": url, **endpoint}
    return orjson.dumps({"views": 1, "segments_per_unit": 2, "captioner": captioner, "workers": workers or {}}).decode()


def cluster_settings(**annotate):
    pool = {"node_labels": {"gpu": ["a"]}, "gpu_resource": "nvidia.com/gpu", "queue": "team"}
    work = {"workers": 3, "pool": "a100", **annotate}
    return ClusterSettings(enabled=True, pools={"a100": pool, "cpu": {}}, annotate=work)


def job_of(**annotate):
    work = make_work(settings(model="Qwen/Captioner", revision="r1"), ("seg",))
    return CaptionJob("clsp-annotate-1", "k", "s3://b/p", work, cluster_settings(**annotate))


def options_of(store, segments, url, workers, **endpoint):
    work = make_work(settings(url, **endpoint), (segments,))
    return [
        "--step=annotate", f"--store={store.uri}", f"--key={step_key(work.recipe, work.parents)}",
        f"--settings={work.settings}", f"--parent={segments}", f"--workers={workers}", f"--engine={url}",
    ]  # fmt: skip


def test_shares_are_all_units_and_no_unit_twice():
    units = list(range(11))
    shares = [Share(rank, 3).of(units) for rank in range(3)]
    assert sorted(unit for share in shares for unit in share) == units
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert Share().of(units) == units
    assert Share(5, 6).of([1, 2]) == []


def test_workers_leave_the_manifest_of_one_process(store, tmp_path, monkeypatch):
    other = open_store(str(tmp_path / "other"))
    segments = save_voices(store, 7)
    with describer() as url:
        alone = run(store=other.uri, run_id="r", settings=settings(url), segments=save_voices(other, 7))
        work = make_work(settings(url), (segments,))
        ledger = Ledger(store, "annotate", step_key(work.recipe, work.parents))
        with pytest.raises(EndpointError, match="4 of 4 units were not done, first 000000"):
            add_up(work, store, ledger)
        for rank in (2, 0):  # the second of them finds that the first has done what nobody else did
            monkeypatch.setenv("JOB_COMPLETION_INDEX", str(rank))
            assert main(options_of(store, segments, url, 3)) == 0
            assert len(ledger.finished()) == 4
        assert main(options_of(store, segments, "http://127.0.0.1:1/v1", 3)) == 0  # started again: nothing is left
    manifest = orjson.loads(other.get(f"manifests/{alone}.json"))
    outcome = add_up(work, store, ledger)
    assert [shard.model_dump() for shard in outcome.shards] == manifest["shards"]
    assert run(store=store.uri, run_id="r", settings=settings("http://127.0.0.1:1/v1"), segments=segments) == alone


def held_after(server, count):
    """Set to let the describer answer more than ``count`` requests."""
    release, hit = threading.Event(), server.trouble.hit

    def held(body):
        found = hit(body)
        if server.trouble.requests > count:
            assert release.wait(120)
        return found

    server.trouble.hit = held
    return release


def test_a_worker_that_is_told_to_end_waits_for_what_is_in_flight_and_loses_nothing(store):
    segments = save_voices(store, 6)
    with describing("delay=0.3") as server:
        url, slow = server.url, {"concurrency": 2, "first_concurrency": 2, "grace_seconds": 60}
        told = held_after(server, 4)
        command = [sys.executable, "-m", "components.captioning.worker", *options_of(store, segments, url, 1, **slow)]
        child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
        try:
            while not list(store.list("journal/")) and child.poll() is None:
                threading.Event().wait(0.02)
            child.send_signal(signal.SIGTERM)
            told.set()
            assert child.wait(60) == 128 + signal.SIGTERM
        finally:
            child.kill()
            child.wait()
        work = make_work(settings(url), (segments,))
        ledger = Ledger(store, "annotate", step_key(work.recipe, work.parents))
        assert len(ledger.finished()) < 3
        do_here(work, store, ledger)
        assert add_up(work, store, ledger).counts.accepted == 12 == server.trouble.requests
        assert not list(store.list("journal/"))


def test_a_lost_worker_s_units_are_done_by_another_without_asking_again_what_it_knew(store):
    segments = save_voices(store, 8)
    with describing() as server:
        url, slow = server.url, {"concurrency": 1, "first_concurrency": 1}
        lost = held_after(server, 3)
        options = options_of(store, segments, url, 2, **slow)
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "JOB_COMPLETION_INDEX": "0"}
        child = subprocess.Popen([sys.executable, "-m", "components.captioning.worker", *options], env=environment)
        try:
            while noted(store) + server.trouble.requests < 3 + 4 and child.poll() is None:
                threading.Event().wait(0.02)
        finally:
            child.kill()
            child.wait()
            lost.set()
        work = make_work(settings(url, workers={"beat_seconds": 0.1, "silent_seconds": 0.5}, **slow), (segments,))
        ledger = Ledger(store, "annotate", step_key(work.recipe, work.parents))
        do_here(work, store, ledger, Share(1, 2))
        assert add_up(work, store, ledger).counts.accepted == 16
        assert server.trouble.requests == 16 + 1  # one was on its way
        assert not list(store.list("claims/"))


def noted(store):
    """How many answers the journal holds."""
    return sum(len(orjson.loads(store.get(key))) for key in store.list("journal/"))


def test_a_worker_of_another_release_does_nothing(store, capsys):
    segments = save_voices(store, 1)
    options = [text for text in options_of(store, segments, "http://127.0.0.1:1/v1", 1) if "--key" not in text]
    assert main([*options, f"--key={'0' * 64}"]) == ConfigError.exit_code
    assert "same release" in capsys.readouterr().err


def test_the_job_is_indexed_and_spares_the_disrupted():
    job = indexed_job(job_of(retries=4))
    check(job)
    spec = job["spec"]
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (3, 3, "Indexed")
    assert (spec["backoffLimitPerIndex"], spec["maxFailedIndexes"]) == (4, 1)
    ignore, final = spec["podFailurePolicy"]["rules"]
    assert ignore == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert final["onExitCodes"]["values"] == [ConfigError.exit_code, 3]
    assert job["metadata"]["labels"][QUEUE_LABEL] == "team"
    pod = spec["template"]["spec"]
    terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"] == [{"key": "gpu", "operator": "In", "values": ["a"]}]


def test_the_engine_is_a_sidecar_with_the_gpus_and_without_our_credentials():
    pod = indexed_job(job_of())["spec"]["template"]["spec"]
    (engine,) = pod["initContainers"]
    (client,) = pod["containers"]
    assert engine["restartPolicy"] == "Always"
    assert engine["startupProbe"]["httpGet"] == {"path": "/health", "port": 8000}
    assert engine["startupProbe"]["failureThreshold"] * engine["startupProbe"]["periodSeconds"] == 1800
    assert engine["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert engine["envFrom"] == []
    assert "nvidia.com/gpu" not in client["resources"]["limits"]
    assert [item["secretRef"]["name"] for item in client["envFrom"]] == ["clsp-store", "clsp-captioner"]
    assert "--engine=http://127.0.0.1:8000/v1" in client["command"]


def test_the_default_engine_is_vllm_with_the_published_arguments():
    command = engine_command(CaptionJob("n", "k", "s", job_of().work, ClusterSettings()))
    assert command[:3] == ["vllm", "serve", "Qwen/Captioner"]
    assert {"--revision=r1", "--max-model-len=2048", "--max-num-seqs=64", "--seed=1234"} <= set(command)
    verify = make_verify_work("{}", ("s", "c"))
    assert "--max-model-len=16384" in engine_command(CaptionJob("n", "k", "s", verify, ClusterSettings()))


def test_another_engine_or_none():
    other = job_of(engine_command=["python3", "-m", "components.describer"], engine={"gpus": 0})
    assert engine_command(other) == ["python3", "-m", "components.describer"]
    check(indexed_job(other))
    bare = indexed_job(job_of(engine={"gpus": 0}))
    check(bare)
    pod = bare["spec"]["template"]["spec"]
    assert "initContainers" not in pod
    assert "--engine=" in pod["containers"][0]["command"]


@pytest.fixture
def follow(store, request):
    """Follow a Job of two units while the test plays the cluster; gives the API and the thread's outcome."""
    segments = save_voices(store, 4)
    work = make_work(settings(), (segments,))
    ledger = Ledger(store, "annotate", step_key(work.recipe, work.parents))
    with fake_cluster() as (api, cluster):
        raised = []

        def step():
            try:
                complete_on(
                    cluster,
                    cluster_settings(pending_seconds=getattr(request, "param", 60)),
                    work,
                    store,
                    ledger,
                    tick_seconds=1,
                )
            except Exception as error:  # noqa: BLE001 - the test looks at it
                raised.append(error)

        thread = threading.Thread(target=step)
        thread.start()
        with api.changed:
            assert api.changed.wait_for(lambda: any(path.startswith(JOBS) for path in api.objects), 30)
        path = next(path for path in api.objects if path.startswith(JOBS))

        def play(kind=None, pod=None):
            job = api.objects[path]
            if pod:
                labels = labels_of("annotate", job["metadata"]["name"])
                api.put(f"{PODS}/p-0", {**new_object(POD, "p-0", labels), "status": pod})
            if kind:
                api.put(path, {**job, "status": {"conditions": [{"type": kind, "status": "True", "message": "why"}]}})
            thread.join(30)
            return raised[0] if raised else None

        yield api, play, lambda: do_here(work, store, ledger)


def test_the_step_follows_to_the_end_and_cleans_up(follow, capfd):
    api, play, work = follow
    work()
    assert play("Complete", {"phase": "Running"}) is None
    assert not [path for path in api.objects if path.startswith(JOBS)]
    assert '"step":"annotate","done":2,"total":2' in capfd.readouterr().err


@pytest.mark.parametrize("told", [True, False])
def test_the_last_words_of_a_worker_reach_the_step_even_if_no_event_of_its_pod_did(follow, told):
    api, play, _ = follow
    words = orjson.dumps(to_document(EndpointError("no answer", hint="look at the engine"))).decode()
    ended = {"name": "client", "state": {"terminated": {"exitCode": 5, "message": words}}}
    status = {"phase": "Failed", "containerStatuses": [ended]}
    if not told:
        until("the pods are watched", lambda: any("watch" in query for _, _, query in api.requests), 30)
        (job,) = (item for path, item in api.objects.items() if path.startswith(JOBS))
        pod = new_object(POD, "p-1", labels_of("annotate", job["metadata"]["name"]), status=status)
        pod["metadata"] |= {"uid": "1", "resourceVersion": "1"}
        api.objects[f"{PODS}/p-1"] = pod
    error = play("Failed", status if told else None)
    assert (type(error), error.args[0], error.hint) == (EndpointError, "no answer", "look at the engine")


@pytest.mark.parametrize("follow", [1], indirect=True)
def test_a_job_that_never_starts_tells_why(follow):
    unscheduled = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes have a gpu"}
    error = follow[1](None, {"phase": "Pending", "conditions": [unscheduled]})
    assert "0/3 nodes have a gpu" in error.args[0]
    assert not [path for path in follow[0].objects if path.startswith(JOBS)]
