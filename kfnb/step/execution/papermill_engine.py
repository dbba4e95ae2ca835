"""The engine that kfnb registers with papermill: ``papermill --engine kfnb in.ipynb out.ipynb``."""

from __future__ import annotations

import sys
from typing import Any

from papermill.engines import Engine as PapermillEngine
from papermill.log import logger
from papermill.utils import merge_kwargs, remove_args

from kfnb.step.execution.notebook_saving import NotebookManager
from kfnb.step.execution.session import Session
from kfnb.step.execution.stop_requests import Stopped, cancelled_by_signals

NAME = "kfnb"
_TERMINATED = 128 + 15


class Engine(PapermillEngine):  # type: ignore[misc]
    """Executes a notebook as papermill's own engine does, in less time.

    Options beyond papermill's: ``session``, which reports and limits the execution;
    ``save_to``, where to save instead of papermill's ``output_path``; ``given_parameters``,
    the parameters that the notebook already contains.
    """

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: bool | dict[str, Any] = True,
        log_output: bool = False,
        autosave_cell_every: float = 30,
        **options: Any,
    ) -> Any:
        """Execute ``nb``, and keep papermill's metadata; the notebook with outputs."""
        save_to = options.pop("save_to", None)
        manager = NotebookManager(
            nb,
            output_path=save_to or output_path,
            private=save_to is not None,
            progress_bar=progress_bar,
            log_output=log_output,
            autosave_cell_every=autosave_cell_every,
        )
        # papermill was called without an output path, so that it does not save the notebook as
        # well.
        if save_to:
            nb.metadata.papermill["output_path"] = save_to
            nb.metadata.papermill["parameters"] = options.pop("given_parameters", {})
        manager.notebook_start()
        try:
            cls.execute_managed_notebook(manager, kernel_name, log_output=log_output, **options)
        finally:
            manager.cleanup_pbar()
            manager.notebook_complete()
            # A step reports this error itself, because without its notebook it must not succeed.
            if manager.save_error is not None and save_to is None:
                raise manager.save_error
        return manager.nb

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
        """Execute the cells. Without a session, SIGTERM stops the notebook, saves it and exits."""
        from kfnb.step.execution.client import Client

        session: Session | None = options.pop("session", None)
        own = session or Session()
        own.notebook_started(nb_man)
        start_timeout = options.pop("start_timeout", 60)
        execution_timeout = options.pop("execution_timeout", None) or options.get("timeout")
        given = remove_args(["input_path", "timeout", "startup_timeout"], **options)
        client = Client(
            nb_man,
            session=own,
            **merge_kwargs(
                given,
                timeout=execution_timeout,
                startup_timeout=start_timeout,
                kernel_name=kernel_name,
                log=logger,
            ),
        )
        # The step process has handlers for its signals already.
        if session is not None:
            client.execute()
            return
        with cancelled_by_signals(own.stop):
            try:
                client.execute()
            except Stopped:
                sys.exit(_TERMINATED)


def register() -> None:
    """Register the engine, also where there are no entry points (a checkout, a zip file)."""
    from papermill.engines import papermill_engines

    papermill_engines.register(NAME, Engine)
