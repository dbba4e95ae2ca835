"""What kfnb uses of the official client beyond its documented interface is still there."""

from __future__ import annotations

from kubernetes import client
from kubernetes.config import kube_config


def test_the_loader_of_a_kubeconfig_lists_contexts_when_none_is_current(tmp_path):
    file = tmp_path / "config"
    lists = (
        "contexts: [{name: lab, context: {cluster: c, user: u}}]",
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]",
        "users: [{name: u, user: {}}]",
    )
    file.write_text("\n".join(lists))
    loader = kube_config._get_kube_config_loader(filename=str(file), active_context="lab")
    assert [one["name"] for one in loader.list_contexts()] == ["lab"]


def test_the_connection_pool_and_credentials_are_where_they_are_used():
    configuration = client.Configuration(host="https://127.0.0.1:1")
    configuration.api_key = {"authorization": "Bearer secret"}
    api = client.ApiClient(configuration)
    assert callable(api.rest_client.pool_manager.request)
    assert api.configuration.auth_settings()["BearerToken"]["value"] == "Bearer secret"
    names = ("verify_ssl", "ssl_ca_cert", "cert_file", "key_file", "assert_hostname", "proxy")
    assert all(hasattr(configuration, name) for name in names)
