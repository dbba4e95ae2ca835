/** The bundle that a page loads once: everything a view needs, the styles and Graphviz included. */
import type { Rendering } from './host';

export function render({ el }: Rendering): () => void {
  el.classList.add('kfnb');
  return () => el.classList.remove('kfnb');
}
