from tests.step.values.kernels import step

__all__ = ["step"]
