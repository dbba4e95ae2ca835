"""Requests to the API server: configuration, authentication, retries, Leases and port-forwards."""
