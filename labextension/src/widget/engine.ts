/** The bundle that a page loads once, with everything that views need, including Graphviz. */

import css from '../../style/index.css';
import type { Context } from '../context';
import { graphviz } from '../dag/graphviz';
import { inWorker, serve, WorkerLayouter } from '../dag/layouter';
import { h } from '../dom';
import { PipelinePanel } from '../shell';
import { pageTheme } from '../theme';
import type { Rendering } from './anywidget';
import { NotebookAround, viewer } from './notebook';
import { WidgetSource } from './source';

const layouter = new WorkerLayouter(import.meta.url, graphviz);

if (inWorker()) {
  serve(graphviz);
}

/** Renders a view for anywidget; returns a function that removes it. */
export function render({ model, el }: Rendering): () => void {
  style(el);
  const source = new WidgetSource(model);
  const around = new NotebookAround(el);
  const context: Context = {
    trans: text => text,
    theme: pageTheme(),
    busy: source.busy,
    waiting:
      'The kernel is busy or not running. The view continues when the kernel is free.',
    open: viewer(),
    get goTo() {
      return around.goTo;
    },
    post: message => source.post(message)
  };
  const panel = new PipelinePanel(el, context, source, layouter);
  panel.node.dataset.engine = 'ready';
  source.post({ kind: 'hello', have: true });
  return () => {
    panel.dispose();
    source.dispose();
  };
}

/** Adds the style sheet once to the page or shadow tree of a view. */
function style(el: HTMLElement): void {
  const root = el.getRootNode();
  const parent = root instanceof ShadowRoot ? root : document.head;
  const known = Array.from(parent.querySelectorAll('style[data-kfnb]'));
  if (!known.some(sheet => sheet.textContent === css)) {
    parent.append(h('style', { 'data-kfnb': '' }, css));
  }
}
