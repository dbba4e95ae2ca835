"""The provisioner of the class ``folders``: a folder of the node for every claim.

A claim of that class gets a hostPath volume, which any number of pods of the one node may
write; when the claim is gone, volume and folder go too. Asks twice a second: there is one node
and a handful of claims. ``python -m tests.cluster.volumes ROOT`` is a process of the node.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from pathlib import Path

from tests.cluster.api import Api, Plain, Refused
from tests.cluster.layout import DOORS, Layout

CLASS = "folders"
PROVISIONER = "kfnb.test/folders"
EVERY = 0.5  # seconds


def volume(claim: Plain, folders: Path) -> Plain:
    """Return the volume for a claim, bound to it by its uid."""
    about, spec = claim["metadata"], claim["spec"]
    name = f"folder-{about['uid']}"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER},
        },
        "spec": {
            "storageClassName": CLASS,
            "persistentVolumeReclaimPolicy": "Delete",
            "accessModes": spec["accessModes"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "hostPath": {"path": str(folders / name)},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": about["namespace"],
                "name": about["name"],
                "uid": about["uid"],
            },
        },
    }


def provision(api: Api, folders: Path) -> None:
    """Make what claims wait for and remove what they left."""
    for claim in api.call("GET", "/api/v1/persistentvolumeclaims")["items"]:
        waiting = claim["status"].get("phase") == "Pending"
        if waiting and claim["spec"].get("storageClassName") == CLASS:
            made = volume(claim, folders)
            folder = Path(made["spec"]["hostPath"]["path"])
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o1777)  # fsGroup changes nothing on a hostPath
            _unless(409, api, "POST", "/api/v1/persistentvolumes", made)
    for one in api.call("GET", "/api/v1/persistentvolumes")["items"]:
        name, ours = one["metadata"]["name"], one["spec"].get("storageClassName") == CLASS
        if ours and one["status"].get("phase") in ("Released", "Failed"):
            assert re.fullmatch(r"folder-[0-9a-f-]+", name)
            shutil.rmtree(folders / name, ignore_errors=True)
            _unless(404, api, "DELETE", f"/api/v1/persistentvolumes/{name}")


def _unless(status: int, api: Api, method: str, path: str, body: Plain | None = None) -> None:
    try:
        api.call(method, path, body)
    except Refused as refused:
        if refused.status != status:
            raise


def main(root: Path) -> None:
    layout = Layout(root)
    api = Api(layout.pki, DOORS["api"].port)
    while True:
        try:
            provision(api, layout.volumes)
        except (OSError, Refused) as error:
            print(error, flush=True)
        time.sleep(EVERY)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
