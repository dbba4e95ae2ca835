"""Writes what an attempt's pods report into its folder, completely and without duplicates."""
