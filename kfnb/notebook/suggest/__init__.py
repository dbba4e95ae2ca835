"""Suggest how an untagged notebook could be split into steps; nothing is executed or written."""
