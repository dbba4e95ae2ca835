"""``python -m kfnb.runners.kubernetes.driver.driver_pod RUN``: the driver of a run, in a pod."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from kfnb.engine.dispatch.manifests import load_run
from kfnb.engine.journal.file_journal import JournalBusy
from kfnb.errors import InfrastructureError, KfnbError, UsageError
from kfnb.home import home, run_folder
from kfnb.runners.kubernetes.driver.drive import drive
from kfnb.runners.kubernetes.driver.mirror import fetch
from kfnb.runners.kubernetes.options import TARGET, KubernetesOptions
from kfnb.store.remote import Refused, StoreAddress, open_remote
from kfnb.store.remote_store import open_remote_store


def main(run_id: str) -> int:
    """Drive the run; return 0 where Kubernetes must not start another driver."""
    where = StoreAddress.from_environment()
    try:
        if where is None:
            raise UsageError("KFNB_STORE, the store of the run, is not set.")
        store = open_remote_store(home() / "store", open_remote(where))
        run = run_folder(run_id)
        # A pod begins with an empty folder.
        fetch(run, store.remote)
        pipeline, facts = load_run(run)
        drive(run, pipeline, facts_inside_pod(facts), store=store)
    except JournalBusy as error:
        # Another driver has the run, so there is nothing to do.
        print(f"kfnb: {error}", file=sys.stderr, flush=True)
    except KfnbError as error:
        print(f"kfnb: {error}", file=sys.stderr, flush=True)
        if isinstance(error, InfrastructureError) and not isinstance(error, Refused):
            # After a failure, Kubernetes starts the driver again, when the service may answer.
            return error.exit_code
        # Another one would end in the same way.
    return 0


def facts_inside_pod(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's facts for a pod of its workspace, which has no contexts to choose from."""
    options = KubernetesOptions.of_run(facts)
    inside = dataclasses.replace(options, context=None, namespace=None, store_client_endpoint=None)
    return {**facts, TARGET: inside.plain()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
