/** What the notebook says of every step (options, and volumes), and a form to change it. */

import type { Component, Context } from '../context';
import { fill, h } from '../dom';
import { plain, span, visible } from '../format';
import type { Graph, Volume } from '../protocol';
import { SettingsForm, type NotebookSettings } from '../settings';

/** A closed list of the pipeline's options and volumes; hidden if there is nothing to show. */
export class PipelineOptions implements Component {
  readonly node: HTMLDetailsElement;

  /**
   * @param editable - whether the options may be changed where the page allows it.
   */
  constructor(
    private readonly context: Context,
    editable: boolean
  ) {
    this.settings = (editable && context.settings) || null;
    this.change.textContent = context.trans('Change');
    this.change.addEventListener('click', () => this.open());
    this.node = h(
      'details',
      { class: 'kfnb-pipeline-options', hidden: true },
      this.summary,
      this.list,
      this.change,
      this.note
    );
  }

  /** Shows the options of a graph; a form that is open stays. */
  update(graph: Graph): void {
    const { trans } = this.context;
    const rows = rowsOf(graph, trans);
    const names = rows.map(([name]) => name).join(', ') || trans('none');
    this.summary.textContent = `${trans('Options of the pipeline:')} ${names}`;
    fill(
      this.list,
      ...rows.flatMap(([name, value]) => [
        h('dt', {}, name),
        h('dd', {}, value)
      ])
    );
    this.change.hidden = !this.settings || this.form !== null;
    this.node.hidden = rows.length === 0 && !this.settings;
  }

  dispose(): void {
    this.node.remove();
  }

  private open(): void {
    const { settings } = this;
    if (!settings) {
      return;
    }
    this.note.textContent = '';
    const form = (this.form = new SettingsForm(
      this.node,
      this.context,
      settings
    ));
    this.show(true);
    form.focus();
    form.onClose = applied => {
      form.dispose();
      this.form = null;
      this.show(false);
      this.note.textContent = applied
        ? this.context.trans(
            'Set in the notebook. Save it: runs that start then use this.'
          )
        : '';
      this.change.focus();
    };
  }

  private show(editing: boolean): void {
    this.list.hidden = editing;
    this.change.hidden = editing;
  }

  private readonly summary = h('summary');
  private readonly list = h('dl');
  private readonly change = h('button', {
    type: 'button',
    class: 'kfnb-button'
  });
  private readonly note = h('p', { role: 'status' });
  private readonly settings: NotebookSettings | null;
  private form: SettingsForm | null = null;
}

function rowsOf(
  { options, volumes }: Graph,
  trans: Context['trans']
): [name: string, value: string][] {
  return [
    ...Object.entries(options).map(([name, value]): [string, string] => [
      visible(name),
      name === 'timeout' && typeof value === 'number'
        ? span(value)
        : visible(plain(value))
    ]),
    ...volumes.map((volume): [string, string] => [
      `${trans('volume')} ${visible(volume.name)}`,
      described(volume, trans)
    ])
  ];
}

function described(
  { mount, claim, size }: Volume,
  trans: Context['trans']
): string {
  const content =
    claim === null
      ? trans('an empty folder')
      : `${trans('the claim')} ${visible(claim)}`;
  return [`${visible(mount)}: ${content}`, size && visible(size)]
    .filter(Boolean)
    .join(', ');
}
