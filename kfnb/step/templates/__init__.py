"""Processes that import once and fork what a step needs: its runner, and its kernel."""
