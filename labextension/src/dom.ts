/** Creates elements. No other file does, so that text is never inserted as markup. */

type Attributes = Readonly<
  Record<string, string | number | boolean | null | undefined>
>;
type Child = Node | string | null | undefined | false;

const SVG = 'http://www.w3.org/2000/svg';

/** Creates an HTML element; `true` sets an empty attribute, `false` and null set none. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return finished(document.createElement(tag), attributes, children);
}

/** Creates an SVG element. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return finished(document.createElementNS(SVG, tag), attributes, children);
}

/** The focused element in the tree of a node: the document or a shadow tree. */
export function focusedNear(node: Node): Element | null {
  const root = node.getRootNode();
  return root instanceof Document || root instanceof ShadowRoot
    ? root.activeElement
    : null;
}

/** Replaces the children of an element. */
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
