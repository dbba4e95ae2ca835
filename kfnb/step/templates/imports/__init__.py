"""The imports that a template makes for its children: execute them, and find what they do besides."""
