"""One node of real Kubernetes on this machine, for the tests: no Docker, nothing left behind.

``python -m tests.cluster up`` builds what is missing, starts the node and prints its
kubeconfig; ``down`` ends it. CONTRIBUTING.md says more, ``fixtures.py`` is what tests use.

Everything runs in a pid, a mount and a network namespace of its own, whose pid 1 is
``inside.py``: killing that process ends all of it. ``node.py`` is the view from outside.
"""
