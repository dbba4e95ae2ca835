"""How this machine reaches a store: directly, or through a small pod and a port-forward."""
