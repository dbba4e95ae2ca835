/** The whole view of a pipeline: header, tabs, the selected step. */

import { CompareView } from '../compare';
import { MetricsChart } from '../chart';
import type { Component, Context } from '../context';
import { DagView, type Layouter } from '../dag';
import { fill, h } from '../dom';
import { LogView } from '../logs';
import { OutputsView } from '../outputs';
import type { FromKernel, StepState, Tab } from '../protocol';
import { RunList } from '../runs';
import type { Source } from '../source';
import { StepTable } from '../table';
import { Announcer } from './announcer';
import { StepDetails } from './step-details';
import { findings, Notice, warnings } from './findings';
import { Header } from './header';
import { saveNotebook } from './links';
import { guardKeys } from './keyboard-guard';
import { PanelModel } from './model';
import { PipelineOptions } from './pipeline-options';
import { ALL, StepTab, type StepView } from './step-tab';
import { STATIC, Tabs, TITLES } from './tabs';

export class PipelinePanel implements Component {
  readonly node: HTMLElement;

  /**
   * @param layouter - lays graphs out; null for only the simple layout.
   */
  constructor(
    host: HTMLElement,
    private readonly context: Context,
    private readonly source: Source,
    private readonly layouter: Layouter | null
  ) {
    const { trans } = context;
    const { only, tab, selected } = source.ui;
    this.model = new PanelModel(source);
    this.announcer = new Announcer(this.model, context);
    this.tabs = new Tabs(
      only ? TITLES.filter(([name]) => name === tab) : TITLES,
      context
    );
    this.tabs.bar.hidden = only;
    this.node = h('section', {
      class: 'kfnb-view',
      'aria-label': trans('Pipeline')
    });
    this.header = new Header(this.node, context, this.model);
    this.options = new PipelineOptions(context, !only);
    this.node.append(
      this.busy.node,
      this.problem.node,
      this.notice.node,
      this.options.node,
      this.findings,
      h('div', { class: 'kfnb-tabs-row' }, this.tabs.bar, this.header.counts),
      h('div', { class: 'kfnb-body' }, this.tabs.body),
      this.announcer.node
    );
    this.detail = new StepDetails(
      this.tabs.body.parentElement ?? this.node,
      context,
      this.model
    );
    this.detail.onSelect = id => this.choose(id);
    this.detail.onOpen = name => this.tabs.show(name);
    this.tabs.onShow = name => this.onTab(name);
    this.leave = [
      guardKeys(this.node),
      context.theme.connect(() => this.updateHeader()),
      context.busy.connect(() => this.updateHeader()),
      source.cut?.connect(() => this.updateHeader()) ?? (() => undefined),
      source.onMessage(message => this.take(message)),
      source.onChanged(() => this.changed())
    ];
    host.append(this.node);
    this.selected = this.model.node(selected) ? selected : null;
    this.updateHeader();
    this.tabs.show(
      this.tabs.has(tab) && (this.model.run || STATIC.includes(tab))
        ? tab
        : 'dag'
    );
    this.detail.show(this.selected);
  }

  dispose(): void {
    for (const leave of this.leave) {
      leave();
    }
    for (const part of this.parts.values()) {
      part.dispose();
    }
    this.header.dispose();
    this.detail.dispose();
    this.node.remove();
  }

  private take(message: FromKernel): void {
    const { dag, chart, logs, outputs, compare } = this;
    const { graph } = this.model;
    const steps = this.model.take(message);
    switch (message.kind) {
      case 'state':
        if (this.model.graph !== graph) {
          dag?.setGraph(this.model.graph, this.model.steps);
        }
        if (steps) {
          this.restyle(steps);
        }
        break;
      case 'metrics':
        if (message.reset) {
          chart?.setSeries(this.model.series);
        } else {
          chart?.append(message.points);
        }
        this.header.update(); // the names of the runs come with the series
        break;
      case 'log':
        logs?.append(message);
        break;
      case 'outputs':
        outputs?.show(message);
        break;
      case 'compare':
        compare?.show(message);
        break;
      case 'runs':
        this.runList?.show(message);
        break;
      case 'resources':
        this.detail.takeResources(message);
        break;
      case 'notebook':
        saveNotebook(message.name, message.text);
        this.notice.show(
          `${this.context.trans('The executed notebook was downloaded:')} ${message.name}`
        );
        break;
      case 'notice':
        this.notice.show(message.text, message.level);
        break;
      default:
        // A newer kernel may send messages that this page does not know.
        break;
    }
  }

  private restyle(steps: Record<string, StepState>): void {
    this.dag?.setStates(steps);
    this.table?.setStates(steps);
    this.announcer.take(steps);
    this.updateHeader();
    if (this.selected !== null && this.selected in steps) {
      this.detail.show(this.selected);
    }
    this.readers.forEach(reader => reader.update(steps));
  }

  /** Takes a new snapshot of the source. */
  private changed(): void {
    const { model } = this;
    const { graph, run } = model;
    model.read();
    if (run && model.run && run.id !== model.run.id) {
      this.restart();
    }
    if (model.graph !== graph) {
      this.dag?.setGraph(model.graph, model.steps);
      this.table?.setGraph(model.graph, model.steps);
    }
    this.restyle(model.steps);
  }

  /** Shows a new run where another was shown. */
  private restart(): void {
    const { model } = this;
    this.announcer.restart();
    this.notice.show(null);
    this.chart?.setSeries(model.series);
    this.readers.forEach(reader => reader.restart());
    this.compare?.open([model.run?.id ?? '', ...this.compare.ids()]);
    this.runList?.refresh();
  }

  /** Updates everything above the tabs. */
  private updateHeader(): void {
    const { model, context, node } = this;
    const { trans } = context;
    const data = {
      theme: context.theme.value,
      run: model.run?.id ?? '',
      status: model.state?.status ?? ''
    };
    for (const [name, value] of Object.entries(data)) {
      // Many styles depend on these attributes, so only changed ones are set.
      if (node.dataset[name] !== value) {
        node.dataset[name] = value;
      }
    }
    this.header.update();
    for (const [tab] of TITLES) {
      this.tabs.offer(tab, model.run !== null || STATIC.includes(tab));
    }
    this.find();
    this.busy.show(context.busy.value ? context.waiting : null);
    if (this.ends !== model.going && !model.going) {
      // A message about a running run is outdated when it has ended.
      this.notice.clearInfo();
    }
    this.ends = model.going;
    this.problem.show(
      model.cut
        ? trans(
            'The kernel that followed this run is gone, so this view is no longer updated. The run itself does not need that kernel; execute the cell again to see its current state.'
          )
        : model.lost
          ? trans(
              'The process that drove this run is gone. Resume continues it with the code as it was; finished steps are not executed again.'
            )
          : model.problem,
      model.cut || model.lost ? 'warning' : 'error'
    );
  }

  private find(): void {
    const { graph, warnings: runWarnings } = this.model;
    if (
      this.shownFindings[0] !== graph.diagnostics ||
      this.shownFindings[1] !== runWarnings
    ) {
      this.shownFindings = [graph.diagnostics, runWarnings];
      this.options.update(graph);
      fill(
        this.findings,
        findings(graph, this.context),
        warnings(runWarnings, this.context)
      );
    }
  }

  private choose(id: string | null): void {
    this.selected = id;
    this.dag?.select(id);
    this.table?.select(id);
    this.detail.show(id);
    this.source.keep({ selected: id });
    this.context.post({ kind: 'select', id });
  }

  /** Opens a tab; its content is made when it is first opened. */
  private onTab(tab: Tab): void {
    if (tab !== this.source.ui.tab) {
      this.source.keep({ tab });
    }
    this.node.dataset.tab = tab;
    if (!this.parts.has(tab)) {
      this.parts.set(tab, this.makePart(tab, this.tabs.panel(tab)));
    }
    const step = this.selected ?? this.interesting();
    if (step !== null) {
      this.readers.get(tab)?.show(step);
    }
  }

  private makePart(tab: Tab, host: HTMLElement): Component {
    const { context, model } = this;
    switch (tab) {
      case 'dag': {
        const dag = (this.dag = new DagView(
          host,
          context,
          this.layouter,
          this.source.ui.height
        ));
        dag.onSelect = id => this.choose(id);
        dag.onHeight = height => this.source.keep({ height });
        dag.onOpen = () => this.tabs.show(model.run ? 'logs' : 'table');
        dag.setGraph(model.graph, model.steps);
        dag.select(this.selected);
        return dag;
      }
      case 'table': {
        const table = (this.table = new StepTable(host, context));
        table.onSelect = id => this.choose(id);
        table.onOpen = () => this.tabs.show(model.run ? 'logs' : 'dag');
        table.setGraph(model.graph, model.steps);
        table.select(this.selected);
        return table;
      }
      case 'metrics':
        this.chart = new MetricsChart(host, context);
        this.chart.setSeries(model.series);
        return this.chart;
      case 'logs':
        return this.reader(
          tab,
          host,
          true,
          (panel, lead) => (this.logs = new LogView(panel, context, lead))
        );
      case 'outputs':
        return this.reader(tab, host, false, (panel, lead) => {
          panel.append(lead);
          return (this.outputs = new OutputsView(panel, context));
        });
      case 'runs':
        this.runList = new RunList(host, context);
        this.runList.onChoose = runs => this.compareRuns(runs);
        this.runList.onCompare = () => this.tabs.show('compare');
        this.runList.choose(this.compared());
        this.runList.open();
        return this.runList;
      case 'compare':
        this.compare = new CompareView(host, context);
        this.compare.onRemove = runs => this.compareRuns(runs);
        this.compare.onAdd = () => this.tabs.show('runs');
        this.compare.open(this.compared());
        return this.compare;
    }
  }

  /** The runs that are compared: the one that is shown, and those that were chosen. */
  private compared(): string[] {
    const own = this.model.run ? [this.model.run.id] : [];
    return [...new Set([...own, ...this.source.ui.compare])];
  }

  /** Compares runs, and draws their metrics beside those of this one. */
  private compareRuns(runs: readonly string[]): void {
    this.source.keep({ compare: runs });
    this.runList?.choose(runs);
    this.compare?.open(runs);
    this.context.post({ kind: 'metrics', runs });
  }

  private reader(
    tab: Tab,
    host: HTMLElement,
    grows: boolean,
    make: (host: HTMLElement, lead: HTMLElement) => StepView
  ): StepTab {
    const reader = new StepTab(host, this.context, this.model, make, grows);
    reader.onPick = step => {
      if (step !== ALL) {
        this.choose(step);
      }
    };
    this.readers.set(tab, reader);
    return reader;
  }

  /** The step that the user most likely wants to see: a failed or running one. */
  private interesting(): string | null {
    const { graph, steps } = this.model;
    for (const status of ['failed', 'running'] as const) {
      const node = graph.nodes.find(({ id }) => steps[id]?.status === status);
      if (node) {
        return node.id;
      }
    }
    return graph.nodes[0]?.id ?? null;
  }

  private readonly model: PanelModel;
  private readonly header: Header;
  private readonly tabs: Tabs;
  private readonly detail: StepDetails;
  private readonly busy = new Notice('kfnb-busy');
  private readonly problem = new Notice('kfnb-gone');
  private readonly notice = new Notice('kfnb-notice-result');
  private readonly options: PipelineOptions;
  private readonly findings = h('div');
  private readonly announcer: Announcer;
  private readonly leave: readonly (() => void)[];
  private readonly parts = new Map<Tab, Component>();
  private readonly readers = new Map<Tab, StepTab>();
  private shownFindings: readonly unknown[] = [];
  private ends: boolean | undefined;
  private dag: DagView | null = null;
  private table: StepTable | null = null;
  private chart: MetricsChart | null = null;
  private logs: LogView | null = null;
  private outputs: OutputsView | null = null;
  private compare: CompareView | null = null;
  private runList: RunList | null = null;
  private selected: string | null = null;
}
