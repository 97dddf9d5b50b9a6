"""The serve step: a registered version in, proof that its server answers as the model does out."""

from clsp.config import ClusterSettings, ServeSettings, parse_settings
from clsp.storage import ObjectStore, open_store
from clsp.storage.manifest import load_manifest
from clsp.storage.steps import Outcome, find_output, make_recipe
from components.runner import execute, step_entry


@step_entry("serve")
def run(*, store: str, run_id: str, settings: str, version: str, cluster: str = "{}") -> str:
    """Serve the version of manifest ``version``: tried here, or deployed on a cluster; returns the facts' manifest."""
    chosen, where = parse_settings(ServeSettings, settings), parse_settings(ClusterSettings, cluster)
    recipe = make_recipe("serve", chosen.model_dump(mode="json", include={"dtype", "name"}))

    def body(objects: ObjectStore, _: object) -> Outcome:
        if where.enabled:
            return deploy_version(objects, chosen, where, version)
        from components.serve.trial import try_version  # torch takes seconds to load

        return try_version(objects, chosen, load_manifest(objects, version))

    opened = open_store(store)
    if where.enabled and find_output(opened, recipe, (version,)):
        body(opened, None)  # it was deployed before, but another version may have taken its place since
    return execute(store, run_id, recipe, (version,), body)


def deploy_version(store: ObjectStore, settings: ServeSettings, where: ClusterSettings, version: str) -> Outcome:
    """Roll the version out as the endpoints of this step's cluster."""
    from components.kubernetes.client import connect_release
    from components.serve.deployment import deploy
    from components.serve.probe import make_probe, version_uri

    manifest = load_manifest(store, version)
    probe = make_probe(store, settings, manifest)
    deploy(connect_release(where), where, settings, version_uri(store, manifest), probe)
    return probe.outcome()
