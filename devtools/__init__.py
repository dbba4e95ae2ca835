"""What ``dev.py`` is made of: environments, the parts of the tests, benchmarks.

Standard library only, because these modules install everything else.
"""
