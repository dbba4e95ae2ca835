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
from kfnb.runners.kubernetes.driver.drive import drive_here
from kfnb.runners.kubernetes.driver.run_copy import fetch
from kfnb.runners.kubernetes.options import TARGET, KubernetesOptions
from kfnb.store.remote import Refused, StoreAddress, open_remote
from kfnb.store.remote_store import open_remote_store


def main(run_id: str) -> int:
    """Drive the run; 0 where nothing is left to do for a driver, so that none is started again."""
    where = StoreAddress.from_environment()
    try:
        if where is None:
            raise UsageError("KFNB_STORE does not say where the run is.")
        store = open_remote_store(home() / "store", open_remote(where))
        run = run_folder(run_id)
        fetch(run, store.remote)
        pipeline, about = load_run(run)
        drive_here(run, pipeline, facts_inside_pod(about), store=store)
    except JournalBusy as error:
        print(f"kfnb: {error}", file=sys.stderr, flush=True)
    except KfnbError as error:
        print(f"kfnb: {error}", file=sys.stderr, flush=True)
        if isinstance(error, InfrastructureError) and not isinstance(error, Refused):
            return error.exit_code
        # It would end the same way again.
    return 0


def facts_inside_pod(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of a run as a pod of its workspace sees it: there are no contexts."""
    target = KubernetesOptions.of_run(about)
    inside = dataclasses.replace(target, context=None, namespace=None, store_client_endpoint=None)
    return {**about, TARGET: inside.plain()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
