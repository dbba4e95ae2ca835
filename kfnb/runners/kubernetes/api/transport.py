"""Requests to an API server: authentication, retries, and errors in plain sentences.

Only configuration and connection pool of the official client are used, which have not changed
since version 28: its typed classes refuse unknown fields and are slow, its watch loses events.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode

from kfnb.errors import InfrastructureError
from kfnb.runners.kubernetes.api.backoff import pause_before_retry

Object = Mapping[str, Any]

CONNECT, READ = 10.0, 30.0
"""Seconds for making a connection, and between two parts of an answer."""

# With the pauses in between, a request is given up after about eight seconds.
TRIES = 6

# The server is overloaded or restarts, or a proxy in front of it cannot connect to it.
_AGAIN = {429, 500, 502, 503, 504}
_PIECE = 64 << 10
_DOCTOR = "kfnb doctor --on kubernetes shows what is missing"


class ApiError(InfrastructureError):
    """The API server refused a request, or did not answer it (``status`` is None).

    ``passing`` says whether the same request may succeed later.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str = "",
        retry_after: float | None = None,
        passing: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.retry_after = status, reason, retry_after
        self.passing = (status is None or status in _AGAIN) if passing is None else passing


class Transport:
    """Sends requests to one API server; any thread may use it.

    Parameters
    ----------
    api
        An ``ApiClient`` of the official client.
    tries
        How many times a request is sent at most.
    sleep
        Waits for a number of seconds.
    """

    def __init__(
        self, api: Any, *, tries: int = TRIES, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self.configuration = api.configuration
        self.host = str(self.configuration.host).rstrip("/")
        self._pool = api.rest_client.pool_manager
        self._tries = tries
        self._sleep = sleep

    def json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        """Send a request and read the answer; retry if the error may be temporary.

        A creation whose reply was lost is sent again too; the status 409 then means that the
        object exists.

        Raises
        ------
        ApiError
            With the last answer.
        """
        for number in range(1, self._tries + 1):
            try:
                return self._answer(
                    self.open(method, path, query=query, body=body, headers=headers)
                )
            except ApiError as error:
                if not error.passing or number == self._tries:
                    raise
                self._sleep(pause_before_retry(number, retry_after=error.retry_after))
        raise AssertionError("not reached")

    def pieces(self, path: str, *, query: Mapping[str, str], read: float) -> Iterator[bytes]:
        """Yield an answer as it arrives; a silence of ``read`` seconds is an error."""
        from urllib3.exceptions import HTTPError

        response = self.open("GET", path, query=query, read=read)
        try:
            yield from _as_it_comes(response)
        except (HTTPError, OSError) as error:
            raise ApiError(f"The connection to {self.host} broke: {_words(error)}.") from error
        finally:
            # The connection cannot be reused: the rest of the answer may still arrive.
            response.close()

    def open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        headers: Mapping[str, str] | None = None,
        read: float = READ,
    ) -> Any:
        """Send a request once; return the response before its body is read."""
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError, MaxRetryError, SSLError

        parameters = {k: v for k, v in (query or {}).items() if v}
        url = self.host + path + (f"?{urlencode(parameters)}" if parameters else "")
        sent = {"Accept": "application/json", "User-Agent": "kfnb", **self.authorization()}
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        sent.update(headers or {})
        try:
            # The body is read later, because logs and watches do not end. `json` does the retries.
            response = self._pool.request(
                method, url, body=data, headers=sent, preload_content=False,
                timeout=Timeout(connect=CONNECT, read=read), retries=False,
            )  # fmt: skip
        except (HTTPError, OSError) as error:
            cause = error.reason if isinstance(error, MaxRetryError) else error
            # A starting server may end the handshake; only a bad certificate is permanent.
            untrusted = isinstance(cause, SSLError) and "CERTIFICATE_VERIFY" in str(cause)
            hint = (
                (" The kubeconfig's certificate authority does not match the server's certificate.")
                if untrusted
                else ""
            )
            raise ApiError(
                f"{self.host} does not answer: {_words(error)}.{hint}", passing=not untrusted
            ) from error
        if response.status >= 300:
            raise self._refusal(response)
        return response

    def authorization(self) -> dict[str, str]:
        """Return the header with the credentials; expired tokens are renewed."""
        # This call works since version 28; the attribute with the token has changed.
        setting = self.configuration.auth_settings().get("BearerToken") or {}
        return {"Authorization": str(setting["value"])} if setting.get("value") else {}

    def _answer(self, response: Any) -> Mapping[str, Any]:
        from urllib3.exceptions import HTTPError

        try:
            data = response.data
        except (HTTPError, OSError) as error:
            response.close()
            raise ApiError(f"The connection to {self.host} broke: {_words(error)}.") from error
        response.release_conn()
        try:
            answer = json.loads(data)
        except ValueError as error:
            raise ApiError(f"{self.host} did not answer with JSON: {error}.") from error
        if not isinstance(answer, dict):
            raise ApiError(f"{self.host} did not answer with a JSON object.")
        return answer

    def _refusal(self, response: Any) -> ApiError:
        from urllib3.exceptions import HTTPError

        status = int(response.status)
        try:
            data = response.data
        except (HTTPError, OSError):
            data = b""
        finally:
            response.close()
        try:
            plain = json.loads(data)
            text, reason = str(plain.get("message") or ""), str(plain.get("reason") or "")
        except (ValueError, AttributeError):
            # A proxy in front of the server may answer with HTML or plain text.
            text, reason = data[:300].decode("utf-8", "replace"), ""
        if status < 400:
            location = response.headers.get("Location") or "nowhere"
            text = f"{self.host} is not a Kubernetes API server: it redirects to {location}"
        elif status == 401:
            text = (
                f"{self.host} rejected your login (401 Unauthorized), which may have expired. Log "
                "in again with your cluster's command-line tool, or name another context with "
                "--context"
            )
        elif not text.strip():
            text = f"{self.host} answered {status}"
        # This is how Kubernetes words a missing right; other 403s come from quotas and policies.
        elif status == 403 and " cannot " in text:
            text = f"{text.strip().rstrip('.')}. {_DOCTOR}"
        return ApiError(
            text.strip().rstrip(".") + ".",
            status=status,
            reason=reason,
            retry_after=_seconds(response.headers.get("Retry-After")),
        )


def _as_it_comes(response: Any) -> Iterator[bytes]:
    """Yield the bytes of a response as they arrive, without waiting for a full buffer."""
    # urllib3 1.26, which version 28 of the client requires, lacks read1; what it wraps has it.
    source = response if hasattr(response, "read1") else response._fp
    try:
        while piece := source.read1(_PIECE):
            yield piece
    except HTTPException as error:
        raise ConnectionError(_words(error)) from error


def _seconds(text: str | None) -> float | None:
    # The header may also be a date, which is treated like a missing one.
    try:
        seconds = float(text) if text else None
    except ValueError:
        return None
    # float() accepts "inf" and "nan" too, for which no pause is possible.
    return seconds if seconds is not None and 0 <= seconds < float("inf") else None


def _words(error: BaseException) -> str:
    return (str(error) or type(error).__name__).rstrip(".")
