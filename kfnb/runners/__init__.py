"""Runs: making them, driving them, and executing their steps."""

from kfnb.runners.launch import (
    create_run,
    default_parallel,
    driver_state,
    has_succeeded,
    is_driven,
    request_stop,
    resume,
    start_driver,
)
from kfnb.runners.parameters import check_parameters, parse_parameter

__all__ = [
    "check_parameters",
    "create_run",
    "default_parallel",
    "driver_state",
    "has_succeeded",
    "is_driven",
    "parse_parameter",
    "request_stop",
    "resume",
    "start_driver",
]
