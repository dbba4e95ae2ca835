"""The engine in an empty page: no Jupyter, no kernel, a model that the test plays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.browser.conditions import ENGINE, LAYOUT

if TYPE_CHECKING:
    from playwright.sync_api import Page

_PAGE = "<!doctype html><meta charset=utf-8><body style='margin:0'><div id=kfnb></div>"
_ADDRESS = "http://127.0.0.1:9/kfnb"
_MOUNT = """
async ({code, layout, traits}) => {
  const listeners = new Map();
  const of = event => listeners.get(event) ?? listeners.set(event, new Set()).get(event);
  window.asked = [];
  // As the kernel does, a message names the oldest request that it can answer.
  const answers = {hello: 'state', 'follow-log': 'log', command: 'notice'};
  const answered = new Set();
  window.tell = (message, buffers = []) => {
    const request = window.asked.find(({kind, re}) =>
      re !== undefined && !answered.has(re) && (answers[kind] ?? kind) === message.kind);
    answered.add(request?.re);
    const sent = request ? {...message, re: request.re} : message;
    of('msg:custom').forEach(one => one(sent, buffers));
  };
  const model = {
    get: name => traits[name],
    set: (name, value) => { traits[name] = value; },
    save_changes: () => {},
    on: (event, listener) => of(event).add(listener),
    off: (event, listener) => of(event).delete(listener),
    send: message => {
      if (message.kind !== 'layout-script') {
        window.asked.push(message);
      } else if (!window.withholdLayout) {
        setTimeout(() => window.tell({kind: 'layout-script'}, [new TextEncoder().encode(layout)]));
      }
    }
  };
  const url = URL.createObjectURL(new Blob([code], {type: 'text/javascript'}));
  const engine = await import(url);
  const el = document.getElementById('kfnb');
  const dag = () => el.querySelector('.kfnb-dag');
  const passed = {};
  const begun = performance.now();
  const seen = () => requestAnimationFrame(() => setTimeout(() => {
    const layout = dag()?.dataset.layout;
    if (layout && el.querySelector('.kfnb-node')) passed[layout] ??= performance.now() - begun;
  }));
  window.painted = passed;
  new MutationObserver(seen).observe(el, {
    subtree: true, childList: true, attributes: true, attributeFilter: ['data-layout']
  });
  window.unmount = engine.render({model, el});
  passed.render = performance.now() - begun;
}
"""


class Bare:
    """A view in an empty page.

    Parameters
    ----------
    traits
        What the model holds: ``graph``, ``run``, ``state``, ``ui``.
    """

    def __init__(self, page: Page, traits: Mapping[str, Any]) -> None:
        self.page = page
        # A page with an origin, as Jupyter's have: one without may start no worker.
        page.route(_ADDRESS, lambda route: route.fulfill(body=_PAGE, content_type="text/html"))
        page.goto(_ADDRESS)
        scripts = {"code": ENGINE.read_text("utf-8"), "layout": LAYOUT.read_text("utf-8")}
        page.evaluate(_MOUNT, {**scripts, "traits": dict(traits)})

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send a message, as the kernel would."""
        self.page.evaluate("message => window.tell(message)", message)

    @property
    def asked(self) -> list[dict[str, Any]]:
        """What the page asked the kernel."""
        # Without the numbers of the requests, by which answers find them.
        found: list[dict[str, Any]] = self.page.evaluate(
            "window.asked.map(({re, ...message}) => message)"
        )
        return found

    @property
    def painted(self) -> dict[str, float]:
        """Milliseconds from mounting until each layout was on the screen."""
        found: dict[str, float] = self.page.evaluate("window.painted")
        return found
