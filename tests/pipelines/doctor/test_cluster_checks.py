"""Each wrong thing that a cluster can have, or a user can ask of it, gives the sentence that mends it."""

import orjson
import pytest

from clsp.config import ClusterSettings, parse_settings
from pipelines.doctor.access import check_rights, check_secrets
from pipelines.doctor.operators import check_operators, version_of
from pipelines.doctor.pools import check_pools, check_quotas, quantity
from pipelines.doctor.pulls import check_images
from pipelines.doctor.queues import check_queues
from pipelines.doctor.records import Release, Severity, Uses
from tests.pipelines.doctor.cluster_view import Answers, a_node

A100 = {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}
TAINT = {"key": "nvidia.com/gpu", "effect": "NoSchedule", "value": "present"}
QUEUED = {"a100": {"queue": "gpus"}, "cpu": {}}
LOCAL_QUEUES = "/apis/kueue.x-k8s.io/v1beta1/namespaces/team-a/localqueues"
KUEUE_SETTINGS = "/api/v1/namespaces/kueue-system/configmaps/kueue-manager-config"
KSERVE, TRAINING = "serving.kserve.io", "kubeflow.org"


def a_release(uses=None, **cluster):
    settings = ClusterSettings(enabled=True, **cluster)
    return Release(cluster=settings, uses=uses or Uses(), steps_account="clsp-steps", images=("clsp/step:1",))


def part(findings, name):
    (found,) = [finding for finding in findings if finding.part == name]
    return found


class TestOperators:
    """KServe, training, and those that a release may use."""

    def test_what_is_installed_works(self):
        view = Answers().serve(KSERVE, TRAINING).define_kserve(canary=True).run("kserve/kserve-controller:v0.20.0")
        found = check_operators(view, a_release())
        assert part(found, "KServe").says == "serving.kserve.io/v1beta1, version 0.20, with canary"
        assert {finding.severity for finding in found} == {Severity.OK, Severity.SKIPPED}

    def test_kserve_too_old(self):
        view = Answers().serve(KSERVE, TRAINING).define_kserve(canary=False).run("kserve/kserve-controller:v0.15.2")
        found = part(check_operators(view, a_release()), "KServe")
        assert found.severity is Severity.ERROR
        assert "version 0.15 is too old" in found.says
        assert found.mend == "upgrade KServe to 0.20 (0.17 serves without a canary)"

    @pytest.mark.parametrize("tag", ["v0.17.0", "latest"])
    def test_canary_without_kserve_0_20(self, tag):
        view = Answers().serve(KSERVE, TRAINING).define_kserve(canary=False).run(f"kserve/kserve-controller:{tag}")
        found = part(check_operators(view, a_release(Uses(kserve=True, canary=True))), "KServe")
        assert found.severity is Severity.ERROR
        assert found.mend == "upgrade KServe to 0.20, or set serving.canary.enabled to false"

    def test_kserve_0_17_serves_without_a_canary(self):
        view = Answers().serve(KSERVE, TRAINING).define_kserve(canary=False).run("kserve/kserve-controller:v0.17.0")
        assert part(check_operators(view, a_release()), "KServe").severity is Severity.OK

    def test_an_unreadable_version_is_a_warning(self):
        view = Answers(forbidden=("/apis/apps", "/apis/apiextensions")).serve(KSERVE, TRAINING)
        found = part(check_operators(view, a_release()), "KServe")
        assert found.severity is Severity.WARNING
        assert "rbac.clusterRead" in found.mend

    def test_a_controller_that_is_down(self):
        view = Answers().serve(KSERVE, TRAINING).define_kserve(canary=True).run("x:v0.20.0", replicas=0)
        found = part(check_operators(view, a_release()), "training-operator")
        assert found.severity is Severity.ERROR
        assert "not available" in found.says

    @pytest.mark.parametrize(
        ("missing", "release", "mend"),
        [
            ("KServe", a_release(), "install KServe"),
            ("training-operator", a_release(), "cluster.train.backend to trainjob"),
            ("Kubeflow Trainer", a_release(train={"backend": "trainjob"}), "cluster.train.backend to pytorchjob"),
            ("Kueue", a_release(Uses(kueue=True)), "leave the pools' queues empty"),
            ("KEDA", a_release(Uses(keda=True)), "turn serving.autoscaling.keda off"),
            ("Prometheus operator", a_release(Uses(prometheus_operator=True)), "turn monitoring.monitors"),
        ],
    )
    def test_what_is_used_and_missing_is_an_error(self, missing, release, mend):
        found = part(check_operators(Answers(), release), missing)
        assert found.severity is Severity.ERROR
        assert mend in found.mend

    def test_what_is_not_used_is_no_matter(self):
        assert part(check_operators(Answers(), Release()), "KServe").severity is Severity.SKIPPED

    def test_a_tag_that_is_no_version_is_none(self):
        assert version_of(Answers().run("x:latest").answers["/apis/apps/v1/deployments"]["items"][0]) is None


class TestPools:
    """Nodes of each pool."""

    def test_a_pool_with_nodes(self):
        view = Answers().join(a_node(A100, [TAINT], 8), a_node())
        found = check_pools(view, a_release())
        assert part(found, "pool a100").says == "1 nodes, 8 nvidia.com/gpu"
        assert part(found, "pool cpu").severity is Severity.OK

    def test_no_node_of_the_pool(self):
        found = part(check_pools(Answers().join(a_node()), a_release()), "pool a100")
        assert found.severity is Severity.WARNING
        assert "no node has nvidia.com/gpu.product in (NVIDIA-A100-SXM4-80GB" in found.says
        assert "cluster.pools.a100.node_labels" in found.mend

    def test_a_taint_that_is_not_tolerated(self):
        view = Answers().join(a_node(A100, [TAINT, {"key": "team", "effect": "NoExecute", "value": "b"}], 8))
        found = part(check_pools(view, a_release()), "pool a100")
        assert (found.severity, found.says) == (Severity.ERROR, "1 nodes match, and none takes our pods: taint team")

    @pytest.mark.parametrize(("more", "why"), [({"ready": False}, "not ready"), ({"cordoned": True}, "cordoned")])
    def test_nodes_that_take_nothing(self, more, why):
        found = part(check_pools(Answers().join(a_node(A100, [TAINT], 8, **more)), a_release()), "pool a100")
        assert found.severity is Severity.ERROR
        assert why in found.says

    def test_a_pod_that_asks_for_more_than_a_node_has(self):
        found = part(check_pools(Answers().join(a_node(A100, [TAINT], 4)), a_release()), "pool a100")
        assert found.says == "a pod of train asks for 8 nvidia.com/gpu, a node has 4"
        assert "lower the gpus of cluster.train" in found.mend

    def test_nodes_that_may_not_be_looked_at(self):
        (found,) = check_pools(Answers(forbidden=("/api/v1/nodes",)), a_release())
        assert found.severity is Severity.SKIPPED
        assert "rbac.clusterRead" in found.mend


class TestQuotas:
    """Room in the namespace."""

    def test_no_quota(self):
        assert check_quotas(Answers(), a_release())[0].severity is Severity.OK

    def test_a_quota_without_room_for_training(self):
        status = {"hard": {"requests.nvidia.com/gpu": "8"}, "used": {"requests.nvidia.com/gpu": "4"}}
        view = Answers().hold("resourcequotas", {"metadata": {"name": "gpus"}, "status": status})
        (found,) = check_quotas(view, a_release())
        assert found.says == "gpus leaves 4 of requests.nvidia.com/gpu; train asks for 8"
        assert found.mend == "raise the quota, or lower cluster.train.max_nodes"

    @pytest.mark.parametrize(
        ("text", "value"), [("2", 2), ("1500m", 1.5), ("2Gi", 2**31), ("3k", 3000), ("1e3", 1000), ("0", 0)]
    )
    def test_quantities(self, text, value):
        assert quantity(text) == value


class TestQueues:
    """What pools wait in."""

    def view(self, *conditions, frameworks=("batch/job", "kubeflow.org/pytorchjob")):
        view = Answers().serve("kueue.x-k8s.io")
        status = {"conditions": list(conditions), "pendingWorkloads": 2}
        queue = {"metadata": {"name": "gpus"}, "spec": {"clusterQueue": "all"}, "status": status}
        view.answers |= {LOCAL_QUEUES: {"items": [queue]}, f"{LOCAL_QUEUES}/gpus": queue}
        text = orjson.dumps({"integrations": {"frameworks": frameworks}}).decode()
        view.answers[KUEUE_SETTINGS] = {"data": {"controller_manager_config.yaml": text}}
        return view

    def test_a_queue_that_lets_work_in(self):
        (found,) = check_queues(self.view({"type": "Active", "status": "True"}), a_release(pools=QUEUED))
        assert (found.severity, found.says) == (Severity.OK, "draws from all: 2 wait, 0 are let in")

    def test_a_queue_that_does_not_exist(self):
        release = a_release(pools={"a100": {"queue": "gpu"}, "cpu": {}})
        (found,) = check_queues(self.view(), release)
        assert found.severity is Severity.ERROR
        assert "there is no LocalQueue gpu in team-a (there is gpus): work of pool a100 would wait" in found.says
        assert found.mend.startswith("correct cluster.pools.a100.queue, or make the queue")

    def test_a_queue_without_its_cluster_queue(self):
        stopped = {"type": "Active", "status": "False", "message": "Can't submit new workloads to clusterQueue"}
        (found,) = check_queues(self.view(stopped), a_release(pools=QUEUED))
        assert found.severity is Severity.ERROR
        assert "kubectl describe clusterqueue all" in found.mend

    def test_training_that_kueue_does_not_manage(self):
        queue, found = check_queues(self.view(frameworks=["batch/job"]), a_release(pools=QUEUED))
        assert queue.severity is Severity.OK
        assert found.severity is Severity.WARNING
        assert "kubeflow.org/pytorchjob" in found.says

    def test_no_queue_and_no_kueue(self):
        for view, pools in ((self.view(), {"a100": {}, "cpu": {}}), (Answers(), QUEUED)):
            assert check_queues(view, a_release(pools=pools))[0].severity is Severity.SKIPPED


class TestRights:
    """What the steps' account may do."""

    def test_all_rights(self):
        view = Answers()
        assert check_rights(view, a_release())[0].severity is Severity.OK
        path, body = view.reviews[0]
        assert path.endswith("/namespaces/team-a/localsubjectaccessreviews")
        assert body["spec"]["user"] == "system:serviceaccount:team-a:clsp-steps"

    def test_the_owner_of_what_runs_start_is_asked_for_by_name(self):
        view = Answers(denied=(("get", "configmaps"),))
        (found,) = check_rights(view, a_release(owner="clsp-platform"))
        assert "may not get configmaps=clsp-platform" in found.says
        assert view.reviews[0][1]["spec"]["resourceAttributes"]["name"] == "clsp-platform"

    def test_missing_rights_are_named(self):
        (found,) = check_rights(Answers(denied=(("create", "jobs"), ("watch", "pods"))), a_release())
        assert found.severity is Severity.ERROR
        assert "clsp-steps may not create jobs.batch, watch pods" in found.says
        assert "rbac.create" in found.mend

    def test_whoever_runs_doctor_is_asked_outside_a_release(self):
        view = Answers()
        check_rights(view, Release(cluster=ClusterSettings(enabled=True)))
        assert {body["kind"] for _, body in view.reviews} == {"SelfSubjectAccessReview"}

    def test_an_account_that_may_not_ask(self):
        (found,) = check_rights(Answers(forbidden=("/apis/authorization",)), a_release())
        assert found.severity is Severity.SKIPPED


class TestSecrets:
    """The store's secret and the pull secrets."""

    def test_a_missing_secret(self):
        (found,) = check_secrets(Answers(), a_release())
        assert (found.severity, found.says) == (Severity.ERROR, "there is no secret clsp-store in team-a")
        assert found.mend.startswith("kubectl -n team-a create secret generic clsp-store --from-literal=AWS_ACCESS_KEY")

    def test_a_secret_without_a_key(self):
        (found,) = check_secrets(Answers().keep("clsp-store", "AWS_ACCESS_KEY_ID"), a_release())
        assert found.says == "secret clsp-store lacks AWS_SECRET_ACCESS_KEY"

    def test_a_whole_secret_and_a_missing_pull_secret(self):
        view = Answers().keep("clsp-store", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY").keep("other", "x")
        store, missing, wrong = check_secrets(view, a_release(images={"pull_secrets": ("registry", "other")}))
        assert store.severity is Severity.OK
        assert missing.says == "pull secret registry is missing"
        assert wrong.says == "pull secret other is of another type"

    def test_an_account_that_may_not_read_secrets_is_right(self):
        (found,) = check_secrets(Answers(forbidden=("/api/v1/namespaces/team-a/secrets",)), a_release())
        assert found.severity is Severity.SKIPPED


class TestImages:
    """Pods that wait for an image, and nodes that have it."""

    def test_a_pod_that_cannot_have_its_image(self):
        waiting = {"image": "nowhere/x:1", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
        pod = {"metadata": {"name": "p"}, "status": {"containerStatuses": [waiting]}}
        (found,) = check_images(Answers().hold("pods", pod), a_release())
        assert found.says == "pod p cannot have nowhere/x:1: ImagePullBackOff"
        assert "images.pullSecrets" in found.mend

    def test_never_pulled_and_on_no_node(self):
        (found,) = check_images(Answers().join(a_node()), a_release(images={"pull_policy": "Never"}))
        assert found.severity is Severity.ERROR
        assert "clsp/step:1" in found.says

    def test_images_on_a_node(self):
        (found,) = check_images(Answers().join(a_node(images=["docker.io/clsp/step:1"])), a_release())
        assert found.says == "no pod waits for one; 1 of 1 are on a node"


def test_more_wanted_than_allowed_never_gets_as_far():
    with pytest.raises(Exception, match="min_nodes 3 is more than max_nodes 2"):
        parse_settings(ClusterSettings, '{"train": {"min_nodes": 3, "max_nodes": 2}}')
