"""Kernel processes: how one is started for a step, watched while it executes, and ended."""
