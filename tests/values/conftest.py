from tests.values.kernels import step

__all__ = ["step"]
