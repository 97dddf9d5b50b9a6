"""Where work runs on a cluster: A100 nodes unless said otherwise, and contradictions are refused."""

import pytest

from clsp.config import ClusterSettings, parse_settings
from clsp.errors import ConfigError


def test_work_runs_in_the_step_itself_unless_a_cluster_is_asked_for():
    assert not parse_settings(ClusterSettings, "{}").enabled


def test_gpu_work_goes_to_a100_nodes_by_default():
    settings = ClusterSettings()
    for work in (settings.annotate, settings.verify, settings.train):
        pool = settings.pools[work.pool]
        assert all("A100" in product for product in pool.node_labels["nvidia.com/gpu.product"])
        assert pool.gpu_resource == "nvidia.com/gpu"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"train": {"pool": "h100"}}, "cluster.pools has a100, cpu"),
        ({"train": {"min_nodes": 3, "max_nodes": 2}}, "min_nodes 3 is more than max_nodes 2"),
        ({"trian": {}}, "trian"),
    ],
)
def test_contradictions_are_refused_in_words(values, said):
    with pytest.raises(ConfigError, match=said):
        parse_settings(ClusterSettings, values)
