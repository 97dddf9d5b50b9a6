"""Running a step's work to its manifest: by this process, or by the pods of an Indexed Job that it follows."""

from clsp.config import ClusterSettings, parse_settings
from clsp.storage import ObjectStore
from clsp.storage.ledger import Ledger, Share
from clsp.storage.steps import Outcome
from components.captioning.work import WHOLE, Work, add_up, do_here
from components.runner import execute


def run_work(work: Work, store: str, run_id: str, cluster: str, share: Share = WHOLE) -> str:
    """Do the work where the cluster settings (JSON) say, and return the name of its manifest."""
    where = parse_settings(ClusterSettings, cluster)

    def body(objects: ObjectStore, ledger: Ledger) -> Outcome:
        if not where.enabled:
            do_here(work, objects, ledger, share)
            return add_up(work, objects, ledger)
        from components.captioning.following import complete_on
        from components.kubernetes.client import connect_release

        complete_on(connect_release(where), where, work, objects, ledger)
        return add_up(work, objects, ledger)

    return execute(store, run_id, work.recipe, work.parents, body)
