/** The drawn graph of a notebook, in the main area; Graphviz is loaded when it is first opened. */

import { Widget } from '@lumino/widgets';
import type { DagView } from '../dag';
import { h } from '../dom';
import type { Context } from '../context';
import type { Graph } from '../protocol';
import { pipelineIcon } from './icon';
import { partContext } from './part-context';
import type { Open, Session } from './session';

export class GraphWidget extends Widget {
  constructor(
    private readonly session: Session,
    private readonly open: Open
  ) {
    super();
    const { host } = open;
    this.id = `kfnb-graph-${host.panel.id}`;
    this.title.label = session.trans.__(
      'Graph of %1',
      host.path.split('/').at(-1) ?? ''
    );
    this.title.icon = pipelineIcon;
    this.title.closable = true;
    this.addClass('kfnb-graph');
    this.view = h('section', { class: 'kfnb-view' });
    this.node.append(this.view);
    session.changed.connect(this.follow);
    host.panel.disposed.connect(() => this.dispose());
    void this.draw();
  }

  override dispose(): void {
    this.session.changed.disconnect(this.follow);
    this.dag?.dispose();
    super.dispose();
  }

  private async draw(): Promise<void> {
    const [{ DagView: View }, { graphviz }] = await Promise.all([
      import('../dag'),
      import('../dag/graphviz')
    ]);
    if (this.isDisposed) {
      return;
    }
    const context: Context = {
      ...partContext(this.session),
      goTo: location => void this.open.host.goTo([location.id], location.line)
    };
    this.view.dataset.theme = context.theme.value;
    context.theme.connect(value => (this.view.dataset.theme = value));
    this.dag = new View(this.view, context, { layout: graphviz });
    this.dag.onSelect = id => {
      const step = this.open.book.outline.steps.find(one => one.name === id);
      if (step) {
        void this.open.host.goTo(step.cells);
      }
    };
    this.refresh();
  }

  private readonly follow = (): void => this.refresh();

  private refresh(): void {
    const { graph, state } = this.open.book;
    if (!this.dag || !graph) {
      return;
    }
    if (graph !== this.drawn) {
      this.drawn = graph;
      this.dag.setGraph(graph, state?.steps ?? {});
    } else if (state) {
      this.dag.setStates(state.steps);
    }
  }

  private readonly view: HTMLElement;
  private dag: DagView | null = null;
  private drawn: Graph | null = null;
}
