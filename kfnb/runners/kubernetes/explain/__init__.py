"""Why an attempt waits or failed: the parts of :mod:`kfnb.runners.kubernetes.explain.diagnose`."""
