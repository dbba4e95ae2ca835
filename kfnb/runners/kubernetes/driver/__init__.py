"""The two roles: a driver writes a run's store, a mirror brings a copy of it to this machine."""
