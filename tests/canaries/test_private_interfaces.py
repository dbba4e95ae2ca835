"""Private names of other packages that kfnb uses: each must still exist, and mean the same.

A release may rename them without notice. Then a test here fails and says which file of kfnb to
adapt, long before a user meets an AttributeError in the middle of a run.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import io
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import pytest


@dataclass(frozen=True)
class Private:
    """A private name: where it is, which file of kfnb uses it, and what for."""

    package: str
    module: str
    name: str
    user: str
    purpose: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    def find(self) -> Any:
        """Return what has the name, or fail with a sentence."""
        pytest.importorskip(self.module.partition(".")[0])
        try:
            found = importlib.import_module(self.module)
            for part in self.name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError):
            pytest.fail(
                f"{self.package} {metadata.version(self.package)} no longer has {self}, which "
                f"{self.user} needs to {self.purpose}. Adapt that file, or exclude this version "
                "in pyproject.toml.",
                pytrace=False,
            )
        return found


CLOUDPICKLE = [
    Private("cloudpickle", "cloudpickle.cloudpickle", name, "kfnb/step/values/" + user, purpose)
    for name, user, purpose in [
        ("_DYNAMIC_CLASS_TRACKER_BY_CLASS", "classes.py", "give a class the same id each time"),
        ("_DYNAMIC_CLASS_TRACKER_BY_ID", "classes.py", "find a class that was loaded before"),
        ("_DYNAMIC_CLASS_TRACKER_LOCK", "classes.py", "change the class tracker safely"),
        ("_class_setstate", "classes.py", "fill a class that was loaded"),
        ("_lookup_class_or_track", "classes.py", "register a class that was loaded"),
        ("_make_skeleton_class", "classes.py", "recognise how a class is made"),
        ("_should_pickle_by_reference", "classes.py", "tell classes of modules from others"),
        ("_extract_code_globals", "functions.py", "find the globals that a function reads"),
    ]
]
NBCLIENT = [
    Private(
        "nbclient", "nbclient.client", f"NotebookClient.{name}", "kfnb/step/execution/client.py",
        purpose,
    )
    for name, purpose in [
        ("_async_poll_output_msg", "receive many outputs at once"),
        ("_async_poll_kernel_alive", "notice the kernel's death at once"),
        ("_async_check_alive", "fail as soon as the kernel is dead"),
        ("_check_raise_for_error", "remember which cell failed"),
        ("process_message", "interpret a message of the kernel"),
        ("clear_display_id_mapping", "forget outputs that a cell has cleared"),
        ("reset_execution_trackers", "execute a second notebook"),
    ]
]  # fmt: skip
OTHERS = [
    Private(
        "kubernetes", "kubernetes.config.kube_config", "KubeConfigMerger",
        "kfnb/runners/kubernetes/api/client.py", "list a kubeconfig's contexts if none is current",
    ),
    Private(
        "kubernetes", "kubernetes.client", "Configuration.auth_settings",
        "kfnb/runners/kubernetes/api/transport.py", "authorize a request",
    ),
    Private(
        "papermill", "papermill.clientwrap", "PapermillNotebookClient",
        "kfnb/step/execution/client.py", "execute cells as papermill does",
    ),
    Private(
        "papermill", "papermill.engines", "NotebookExecutionManager",
        "kfnb/step/execution/notebook_saving.py", "keep papermill's metadata",
    ),
    Private(
        "pandas", "pandas", "DataFrame._metadata", "kfnb/step/values/frames.py",
        "leave out what all frames share",
    ),
    Private(
        "pandas", "pandas", "DataFrame._ixs", "kfnb/step/values/changes/comparison_pickler.py",
        "compare frames column by column",
    ),
]  # fmt: skip


@pytest.mark.parametrize("private", [*CLOUDPICKLE, *NBCLIENT, *OTHERS], ids=str)
def test_a_private_name_that_kfnb_uses_exists(private: Private) -> None:
    assert private.find() is not None


def test_a_missing_name_is_reported_in_a_sentence() -> None:
    gone = Private("cloudpickle", "cloudpickle.cloudpickle", "_gone", "kfnb/x.py", "do something")
    with pytest.raises(pytest.fail.Exception) as failure:
        gone.find()
    assert str(failure.value).startswith("cloudpickle ")
    assert "no longer has cloudpickle.cloudpickle._gone, which kfnb/x.py needs to do something" in (
        str(failure.value)
    )


def test_cloudpickle_reduces_a_class_to_six_parts_that_end_with_its_setter() -> None:
    from cloudpickle import cloudpickle

    made = type("Made", (), {"__module__": "__main__"})
    reduced = cloudpickle.Pickler(io.BytesIO()).reducer_override(made)
    assert len(reduced) == 6
    assert (reduced[0], reduced[5]) == (
        cloudpickle._make_skeleton_class,
        cloudpickle._class_setstate,
    )
    constructor, name, bases, contents, key, *_ = reduced[1]
    assert (constructor, name, bases, contents) == (
        type,
        "Made",
        (object,),
        {"__module__": "__main__"},
    )
    assert cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID[key] is made
    assert cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS[made] == key
    assert isinstance(reduced[2][0], dict)


def test_cloudpickle_lists_the_globals_of_a_function_by_name() -> None:
    from cloudpickle import cloudpickle

    code = compile("def f(): return one + two.three", "here", "exec").co_consts[0]
    assert set(cloudpickle._extract_code_globals(code)) == {"one", "two", "three"} or set(
        cloudpickle._extract_code_globals(code)
    ) == {"one", "two"}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("_async_poll_output_msg", ["self", "parent_msg_id", "cell", "cell_index"]),
        ("_async_poll_kernel_alive", ["self"]),
        ("_async_check_alive", ["self"]),
        ("_check_raise_for_error", ["self", "cell", "cell_index", "exec_reply"]),
    ],
)
def test_nbclients_hooks_are_called_as_kfnb_replaces_them(name: str, parameters: list[str]) -> None:
    from nbclient.client import NotebookClient

    from kfnb.step.execution.client import Client

    for kind in (NotebookClient, Client):
        method = getattr(kind, name)
        assert list(inspect.signature(method).parameters) == parameters, kind
        assert asyncio.iscoroutinefunction(method), kind


def test_nbclient_keeps_what_the_hooks_read() -> None:
    import nbformat
    from nbclient.client import NotebookClient

    client = NotebookClient(nbformat.v4.new_notebook())
    for name in ("task_poll_for_reply", "output_hook_stack", "kc", "km", "owns_km"):
        assert hasattr(client, name), f"nbclient's client has no attribute {name} any more"


def test_the_kubernetes_client_lists_contexts(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("kubernetes")
    from kfnb.errors import UsageError
    from kfnb.runners.kubernetes.api.client import connect

    file = tmp_path / "config"
    file.write_text(
        "apiVersion: v1\nkind: Config\nclusters:\n- {name: c, cluster: {server: 'http://127.0.0.1:1'}}\n"
        "users: []\ncontexts:\n- {name: one, context: {cluster: c, user: u}}\n"
    )
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    with pytest.raises(UsageError, match="It has: one"):
        connect()


def test_ipykernel_has_the_loop_and_the_socket_that_kfnb_uses() -> None:
    from ipykernel.iostream import IOPubThread
    from ipykernel.kernelbase import Kernel

    assert "self.io_loop = " in inspect.getsource(Kernel.start)
    assert hasattr(Kernel, "iopub_thread")
    assert hasattr(IOPubThread, "schedule")
