"""kfnb's figures, measured beside its peers in one go: ``python3 dev.py bench``."""
