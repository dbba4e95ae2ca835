/**
 * Widgets that find their place in the page by themselves.
 *
 * JupyterLab shows "model not found" where a notebook is opened whose widgets have no kernel any
 * more. So what a notebook keeps is a place with a picture in it, and no widget: the widget comes
 * into the place, and covers the picture as long as it lives.
 */

interface Places {
  readonly lookers: Set<() => void>;
}

/** One observer for all widgets of a page, each of which has this module of its own. */
function places(): Places {
  const page = globalThis as { [key: symbol]: Places | undefined };
  const key = Symbol.for('kfnb.places');
  let known = page[key];
  if (!known) {
    const lookers = new Set<() => void>();
    new MutationObserver(records => {
      if (records.some(({ addedNodes }) => addedNodes.length)) {
        lookers.forEach(look => look());
      }
    }).observe(document.body, { childList: true, subtree: true });
    page[key] = known = { lookers };
  }
  return known;
}

/** An element within, out of reach of the page's rules for the HTML in its outputs. */
function shelter(el: HTMLElement): HTMLElement {
  const inner = document.createElement('div');
  el.attachShadow({ mode: 'open' }).append(inner);
  return inner;
}

/**
 * Shows something in every place of this name, now and later; gives what ends it.
 *
 * @param show - fills an element that is in the page; gives what empties it. Where it fails, the
 * picture stays.
 */
export function settle(
  name: string,
  show: (el: HTMLElement) => Promise<() => void>
): () => void {
  const shown = new Map<HTMLElement, Promise<() => void>>();
  const covered = (el: HTMLElement, hidden: boolean): void => {
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
    // The picture was drawn anew, and the output with it: what lived in the old one moves.
    let el = els.find(one => !one.isConnected);
    if (el) {
      slot.append(el);
    } else {
      el = document.createElement('div');
      slot.append(el);
      shown.set(el, show(shelter(el)));
    }
    const living = el;
    shown.get(living)?.then(
      () => covered(living, shown.has(living)),
      (error: unknown) => {
        shown.delete(living);
        living.remove();
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
  const { lookers } = places();
  lookers.add(look);
  look();
  return () => {
    lookers.delete(look);
    for (const [el, showing] of shown) {
      covered(el, false);
      shown.delete(el);
      el.remove();
      showing.then(
        end => end(),
        () => undefined
      );
    }
  };
}
