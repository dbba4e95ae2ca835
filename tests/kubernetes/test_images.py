"""Images of steps: pulled with a password, and lacking what a step needs."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from tests.cluster import images
from tests.kubernetes.runs import told

CHECKOUT = Path(__file__).parents[2]


def test_the_dockerfile_copies_existing_files_and_its_user_is_not_root():
    lines = (CHECKOUT / "images/step/Dockerfile").read_text().splitlines()
    said = [line.split() for line in lines if line and not line.startswith("#")]
    here = [
        w for words in said if words[0] == "COPY" and "--from" not in words[1] for w in words[1:-1]
    ]
    assert here
    assert all((CHECKOUT / name).exists() for name in here)
    [user] = [words[1] for words in said if words[0] == "USER"]
    assert user.partition(":")[0] not in ("0", "root")
    assert said[-1][0] == "CMD"
    assert "kfnb.step.pod.pod_main" in " ".join(said[-1])
    assert not [words for words in said if words[0] == "ENTRYPOINT"]  # the Job says what executes


def pushed(node, image, *, private=False):
    """Push an image under a name that no node has seen; the name for pods."""
    return node.push(image, f"{uuid.uuid4().hex[:12]}:1", private=private)


def test_an_image_is_pulled_with_the_password_of_its_registry(desk, node, pull_secret):
    desk.image = pushed(node, node.images.step, private=True)
    path = desk.notebook(("step:a", "print('pulled')"))
    desk.run(path, "--image-pull-secret", pull_secret)
    assert desk.kfnb("logs", "latest", "a") == "pulled\n"


def test_doctor_says_that_the_registry_asks_for_a_password(desk, node):
    desk.image = pushed(node, node.images.busybox, private=True)
    said = desk.kfnb("doctor", *desk.options, code=4)
    [line] = [line for line in said.splitlines() if line.startswith("MISSING")]
    assert desk.image.partition("/")[0] in line
    assert "create secret docker-registry" in line
    assert "--image-pull-secret" in line


@pytest.mark.parametrize("package", ["kfnb", "ipykernel"])
def test_an_image_that_lacks_a_package_is_explained_with_what_to_install(desk, node, package):
    image = images.without(package, print)
    desk.image = pushed(node, image)
    image.archive.unlink()  # half a gigabyte, and soon made again
    said = desk.kfnb("doctor", *desk.options, code=4)
    assert f"but no {package}. Add to its Dockerfile: RUN pip install {package}" in said
    desk.run(desk.notebook(("step:a", "print(1)")), code=1)
    [failed] = [json.dumps(e["data"]) for e in told(desk, "AttemptFailed")]
    assert (
        f"the Python package {package} is missing" in failed
        or f"No module named '{package}'" in failed
    )
    assert f"pip install {package}" in failed
