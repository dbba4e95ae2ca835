"""Connects to the cluster of a kubeconfig's context, or of the pod that this runs in."""

from __future__ import annotations

from pathlib import Path

from kfnb.errors import UsageError
from kfnb.runners.kubernetes.api.calls import Cluster
from kfnb.runners.kubernetes.api.transport import TRIES, ApiError, Transport

__all__ = ["ApiError", "Cluster", "connect"]

_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def connect(
    *, context: str | None = None, namespace: str | None = None, tries: int = TRIES
) -> Cluster:
    """Connect to the cluster of a kubeconfig's context, or of the pod that this runs in.

    Parameters
    ----------
    context
        By default the kubeconfig's current one; without a kubeconfig, in a pod, its cluster.
    namespace
        By default the context's, else ``default``.
    tries
        How many times a request is sent at most.

    Raises
    ------
    UsageError
        If there is no configuration, it cannot be used, or the context does not exist.
    """
    try:
        from kubernetes import client, config
    except ImportError:
        raise UsageError(
            "Running on Kubernetes needs its client. Install it: pip install 'kfnb[kubernetes]'"
        ) from None
    try:
        listed, current = config.list_kube_config_contexts()
    except config.ConfigException as error:
        # Without a kubeconfig this may be a pod; a file without a current context is a mistake.
        if context is None and "current-context" not in str(error):
            return _inside(namespace, error, tries)
        raise _no_context(context, error) from None
    except Exception as error:
        # The official client raises any exception for a file that it cannot read.
        raise UsageError(f"The kubeconfig cannot be read: {_words(error)}.") from error
    contexts = {one["name"]: one for one in listed}
    if context is not None and context not in contexts:
        names = ", ".join(sorted(contexts)) or "none"
        raise UsageError(f"The kubeconfig has no context {context!r}. It has: {names}.")
    chosen = contexts[context] if context is not None else current
    configuration = client.Configuration()
    try:
        config.load_kube_config(context=chosen["name"], client_configuration=configuration)
        # Transport repeats requests itself; urllib3's retries would multiply with its own.
        configuration.retries = False
        api = client.ApiClient(configuration)
    except Exception as error:
        # For example a missing login program, unreadable certificates, an unknown cluster.
        raise UsageError(
            f"The context {chosen['name']!r} of the kubeconfig cannot be used: {_words(error)}."
        ) from error
    space = namespace or (chosen.get("context") or {}).get("namespace") or "default"
    return Cluster(Transport(api, tries=tries), space)


def _no_context(context: str | None, error: Exception) -> UsageError:
    """Return an error with the contexts that exist, or with what is wrong with the file."""
    from kubernetes import config
    from kubernetes.config import kube_config

    names: list[str] = []
    try:
        # The client's own list of contexts refuses a file without a current one.
        merged = kube_config.KubeConfigMerger(kube_config.KUBE_CONFIG_DEFAULT_LOCATION).config
        names = sorted(one["name"] for one in merged["contexts"]) if merged else []
    except (config.ConfigException, AttributeError, TypeError, KeyError):
        pass
    if context is None:
        listed = f" It has: {', '.join(names)}." if names else ""
        return UsageError(
            f"The kubeconfig has no current context: name one with --context.{listed}"
        )
    return UsageError(f"There is no kubeconfig with the context {context!r}: {_words(error)}.")


def contexts() -> list[tuple[str, str, bool]]:
    """List the kubeconfig's contexts: name, namespace, and whether it is the current one.

    Raises
    ------
    UsageError
        If the client is not installed, or the kubeconfig cannot be read.
    """
    try:
        from kubernetes import config
    except ImportError:
        raise UsageError(
            "Running on Kubernetes needs its client. Install it: pip install 'kfnb[kubernetes]'"
        ) from None
    try:
        listed, current = config.list_kube_config_contexts()
    except config.ConfigException:
        return []  # no kubeconfig, or one without contexts
    except Exception as error:
        raise UsageError(f"The kubeconfig cannot be read: {_words(error)}.") from error
    chosen = (current or {}).get("name")
    return [
        (
            str(one["name"]),
            str((one.get("context") or {}).get("namespace") or "default"),
            one["name"] == chosen,
        )
        for one in listed
    ]


def _inside(namespace: str | None, error: Exception, tries: int) -> Cluster:
    from kubernetes import client, config

    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        raise UsageError(
            f"No Kubernetes cluster is configured: {_words(error)}. Set KUBECONFIG, or log in "
            "with your cluster's command-line tool."
        ) from None
    configuration.retries = False
    try:
        # Kubernetes mounts the pod's namespace beside the token of its service account.
        space = (_POD / "namespace").read_text().strip()
    except OSError:
        space = "default"
    return Cluster(Transport(client.ApiClient(configuration), tries=tries), namespace or space)


def _words(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return " ".join(text.split()).rstrip(".")
