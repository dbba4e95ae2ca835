"""The command line ``kfnb``."""
