"""Measures kfnb and comparable tools on the same machine: ``python3 dev.py bench``."""
