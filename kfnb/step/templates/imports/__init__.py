"""The imports that a template makes for its children, and what they do besides."""
