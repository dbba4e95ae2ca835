"""The engine turns a run's events into commands; the driver carries them out and journals them."""
