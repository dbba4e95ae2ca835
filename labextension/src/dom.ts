/** Elements without markup: the only place where they are made, so that text stays text. */

type Attributes = Readonly<
  Record<string, string | number | boolean | null | undefined>
>;
type Child = Node | string | null | undefined | false;

const SVG = 'http://www.w3.org/2000/svg';

/** Makes an HTML element; `true` gives an empty attribute, `false` and null none. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return finished(document.createElement(tag), attributes, children);
}

/** Makes an SVG element. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return finished(document.createElementNS(SVG, tag), attributes, children);
}

/** The element that has the focus, where the given one lives: the page, or a tree of its own. */
export function focusedNear(node: Node): Element | null {
  const root = node.getRootNode();
  return root instanceof Document || root instanceof ShadowRoot
    ? root.activeElement
    : null;
}

/** Replaces what an element holds. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...children.filter(isThere));
}

function finished<E extends Element>(
  element: E,
  attributes: Attributes,
  children: Child[]
): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) {
      throw new Error(`${name}: handlers are added by addEventListener`);
    }
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  element.append(...children.filter(isThere));
  return element;
}

function isThere(child: Child): child is Node | string {
  return child !== null && child !== undefined && child !== false;
}
