/** The script that a page loads once, with everything that views need except for Graphviz. */

import css from '../../style/index.css';
import type { Context } from '../context';
import { type Graphviz, WorkerLayouter } from '../dag/layouter';
import { h } from '../dom';
import { PipelinePanel } from '../shell';
import { pageTheme } from '../theme';
import type { Rendering } from './anywidget';
import { LayoutScript } from './layout-script';
import { NotebookAround, settingsOf, viewer } from './notebook';
import { WidgetSource } from './source';
import { versionProblem } from './version';

const script = new LayoutScript();
const layouter = new WorkerLayouter(script.url, async dot => {
  const { graphviz } = (await import(await script.url())) as {
    graphviz: Graphviz;
  };
  return graphviz(dot);
});

/** Renders a view for anywidget; returns a function that removes it. */
export function render({ model, el }: Rendering): () => void {
  style(el);
  const source = new WidgetSource(model);
  const forget = script.add(model);
  const around = new NotebookAround(el);
  const context: Context = {
    trans: text => text,
    theme: pageTheme(),
    busy: source.busy,
    waiting:
      'The kernel is busy or not running. The view continues when the kernel is free.',
    open: viewer(),
    settings: settingsOf(model),
    get goTo() {
      return around.goTo;
    },
    post: message => source.post(message)
  };
  const panel = new PipelinePanel(el, context, source, layouter);
  panel.node.dataset.engine = 'ready';
  const mismatch = versionProblem(model.get('version'), context);
  if (mismatch !== null) {
    panel.node.prepend(
      h(
        'p',
        { class: 'kfnb-notice', role: 'alert', 'data-status': 'cancelled' },
        mismatch
      )
    );
  }
  source.post({ kind: 'hello', have: true });
  return () => {
    panel.dispose();
    source.dispose();
    forget();
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
