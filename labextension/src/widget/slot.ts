/**
 * Shows widgets in slots of the page.
 *
 * JupyterLab shows "model not found" in a notebook whose widgets have lost their kernel. Therefore a
 * notebook contains no widget, but a slot with a picture; the widget looks for its slot and covers
 * the picture while it is alive.
 */

interface SharedObserver {
  readonly listeners: Set<() => void>;
}

/** Shared by all widgets of a page, although each of them has loaded this module separately. */
function sharedObserver(): SharedObserver {
  const page = globalThis as { [key: symbol]: SharedObserver | undefined };
  const key = Symbol.for('kfnb.slots');
  let known = page[key];
  if (!known) {
    const listeners = new Set<() => void>();
    new MutationObserver(records => {
      if (records.some(({ addedNodes }) => addedNodes.length)) {
        listeners.forEach(look => look());
      }
    }).observe(document.body, { childList: true, subtree: true });
    page[key] = known = { listeners };
  }
  return known;
}

/** Creates an element in a shadow tree, to which the page's styles for HTML output do not apply. */
function shadowElement(el: HTMLElement): HTMLElement {
  const inner = document.createElement('div');
  el.attachShadow({ mode: 'open' }).append(inner);
  return inner;
}

/**
 * Shows content in every slot of a name, now and later; returns a function that removes it.
 *
 * @param show - fills an element of the page and returns a function that empties it. If it fails,
 * the picture stays.
 */
export function showInSlots(
  name: string,
  show: (el: HTMLElement) => Promise<() => void>
): () => void {
  const shown = new Map<HTMLElement, Promise<() => void>>();
  const coverPicture = (el: HTMLElement, hidden: boolean): void => {
    const picture = el.parentElement?.querySelector<HTMLElement>(
      ':scope > .kfnb-static'
    );
    if (picture) {
      picture.hidden = hidden;
    }
  };
  const enter = (slot: HTMLElement): void => {
    const els = [...shown.keys()];
    if (els.some(el => el.parentElement === slot)) {
      return;
    }
    // The output was drawn again with a new picture, so the view moves into it.
    let el = els.find(one => !one.isConnected);
    if (el) {
      slot.append(el);
    } else {
      el = document.createElement('div');
      slot.append(el);
      shown.set(el, show(shadowElement(el)));
    }
    const shownElement = el;
    shown.get(shownElement)?.then(
      () => coverPicture(shownElement, shown.has(shownElement)),
      (error: unknown) => {
        shown.delete(shownElement);
        shownElement.remove();
        console.warn('kfnb: the live view could not be loaded', error);
      }
    );
  };
  const look = (): void => {
    for (const slot of document.querySelectorAll<HTMLElement>(
      '[data-kfnb-slot]'
    )) {
      if (slot.dataset.kfnbSlot === name) {
        enter(slot);
      }
    }
  };
  const { listeners } = sharedObserver();
  listeners.add(look);
  look();
  return () => {
    listeners.delete(look);
    for (const [el, showing] of shown) {
      coverPicture(el, false);
      shown.delete(el);
      el.remove();
      showing.then(
        end => end(),
        () => undefined
      );
    }
  };
}
