/** The form behind the arrow of Run: parameters, target, limits, and what would be executed. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import { fill, h } from '../dom';
import type { Json } from '../protocol';
import type { NewRun } from './server';
import { planRun, targets } from './server';
import type { Open, Session } from './session';

/** Asks for the settings of a run; null if the person does not want one. */
export async function askForRun(
  session: Session,
  open: Open
): Promise<Partial<NewRun> | null> {
  const { trans } = session;
  const form = new RunForm(session, open);
  const answer = await showDialog({
    title: trans.__('Run the pipeline'),
    body: form,
    buttons: [
      Dialog.cancelButton(),
      Dialog.okButton({ label: trans.__('Run') })
    ]
  });
  return answer.button.accept ? answer.value : null;
}

class RunForm extends Widget implements Dialog.IBodyWidget<Partial<NewRun>> {
  constructor(
    session: Session,
    private readonly open: Open
  ) {
    super();
    const { trans, preferences } = session;
    this.addClass('kfnb-form');
    const last = open.book.run?.parameters ?? open.book.runs[0]?.parameters;
    for (const name of this.parameters()) {
      const value = last?.[name];
      this.field(name, name, value === undefined ? '' : JSON.stringify(value));
    }
    this.target.append(
      h('option', { value: 'local' }, trans.__('this machine'))
    );
    this.node.append(this.labelled(trans.__('Where'), this.target));
    this.field('parallel', trans.__('Steps at once'), '', 'number');
    this.field('retries', trans.__('Retries'), '', 'number');
    this.field('timeout', trans.__('Timeout, as 30m'), '');
    this.field('name', trans.__('Name of the run'), '');
    this.plan.setAttribute('role', 'status');
    this.node.append(this.plan);
    this.node.addEventListener('change', () => void this.refresh());
    void targets().then(
      list => {
        fill(
          this.target,
          ...list.map(one => h('option', { value: one.name }, one.title))
        );
        this.target.value = preferences.target;
      },
      () => undefined
    );
    void this.refresh();
  }

  getValue(): Partial<NewRun> {
    const names = new Set(this.parameters());
    const parameters: { [name: string]: Json } = {};
    const settings: { [name: string]: string | number } = {};
    for (const [name, input] of this.inputs) {
      const text = input.value.trim();
      if (!text) {
        continue;
      }
      if (names.has(name)) {
        parameters[name] = plain(text);
      } else {
        settings[name] = input.type === 'number' ? Number(text) : text;
      }
    }
    return { parameters, target: this.target.value || 'local', ...settings };
  }

  /** Shows how many steps would be executed with these settings. */
  private async refresh(): Promise<void> {
    try {
      this.plan.textContent = await planRun({
        path: this.open.host.path,
        ...this.getValue()
      });
    } catch (error) {
      this.plan.textContent = (error as Error).message;
    }
  }

  private parameters(): string[] {
    const nodes = this.open.book.graph?.nodes ?? [];
    return [...new Set(nodes.flatMap(node => node.parameters))];
  }

  private field(
    name: string,
    label: string,
    value: string,
    type = 'text'
  ): void {
    const input = h('input', { type, value, class: 'jp-mod-styled', min: 0 });
    this.inputs.set(name, input);
    this.node.append(this.labelled(label, input));
  }

  private labelled(label: string, input: HTMLElement): HTMLElement {
    return h('label', {}, h('span', {}, label), input);
  }

  private readonly inputs = new Map<string, HTMLInputElement>();
  private readonly target = h('select', { class: 'jp-mod-styled' });
  private readonly plan = h('p', { class: 'kfnb-soft' });
}

/** A value as it is typed: JSON if it is that, otherwise text. */
function plain(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
