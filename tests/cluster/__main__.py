"""``python -m tests.cluster up|down|kubeconfig|status|build|images|inside``; see CONTRIBUTING.md."""

from __future__ import annotations

import argparse
import subprocess
import sys

from tests.cluster import binaries, images, machine, node
from tests.cluster.machine import Unable


def say(text: str) -> None:
    print(f"cluster: {text}", file=sys.stderr, flush=True)


def up(_arguments: list[str]) -> None:
    """Build what is missing, start the cluster, print its kubeconfig's path."""
    found, _ = node.up(say)
    say(f"step image {found.images.step.name}")
    print(found.layout.kubeconfig)


def down(_arguments: list[str]) -> None:
    """End the cluster; nothing of it stays but binaries and images in the cache."""
    if not node.down():
        say("nothing was running")


def kubeconfig(_arguments: list[str]) -> None:
    """Print the path of the running cluster's kubeconfig."""
    print(_running().layout.kubeconfig)


def status(_arguments: list[str]) -> None:
    """Print what runs, and where this machine reaches it."""
    found = _running()
    for name, port in found.ports.items():
        print(f"{name:24} 127.0.0.1:{port}")
    for name, pid in found.running().items():
        print(f"{name:24} pid {pid} inside")


def build(_arguments: list[str]) -> None:
    """Build the binaries that are not in the cache."""
    machine.prepare(say)
    binaries.ensure(say)


def make_images(_arguments: list[str]) -> None:
    """Build the images that are not in the cache; print name and archive of each."""
    machine.prepare(say)
    binaries.ensure(say, "s3")
    for image in images.ensure(say):
        print(image.name, image.archive)


def inside(arguments: list[str]) -> None:
    """Run a command in the cluster's namespaces."""
    _running().inside(*arguments, capture_output=False)


COMMANDS = {
    "up": up,
    "down": down,
    "kubeconfig": kubeconfig,
    "status": status,
    "build": build,
    "images": make_images,
    "inside": inside,
}


def _running() -> node.Node:
    found = node.find(images.ensure(say))
    if found is None:
        raise Unable("no cluster is running; python3 dev.py cluster up starts one.")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.cluster", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    try:
        COMMANDS[given.command](given.arguments)
    except Unable as error:
        raise SystemExit(f"cluster: {error}") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(error.returncode) from None


if __name__ == "__main__":
    main()
