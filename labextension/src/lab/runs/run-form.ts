/** The form behind the arrow of Run: parameters, target, limits, and what would be executed. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import { h } from '../../dom';
import { plain } from '../../format';
import { parsed } from '../../panel/parameter-values';
import type { GraphParameter, Json } from '../../protocol';
import type { NewRun } from '../server';
import { planRun } from '../server';
import type { Open, Session } from '../session';
import { TargetFields } from './target-fields';

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
    const { trans } = session;
    this.addClass('kfnb-form');
    const last = open.book.run?.parameters ?? open.book.runs[0]?.parameters;
    for (const parameter of this.parameters()) {
      this.parameter(parameter, last?.[parameter.name]);
    }
    this.target = new TargetFields(session);
    this.node.append(this.target.node);
    this.field('parallel', trans.__('Steps at once'), 'number');
    this.field('retries', trans.__('Retries'), 'number');
    this.field('timeout', trans.__('Timeout, as 30m'));
    this.field('name', trans.__('Name of the run'));
    this.plan.setAttribute('role', 'status');
    this.node.append(this.plan);
    this.node.addEventListener('change', () => void this.refresh());
    void this.refresh();
  }

  getValue(): Partial<NewRun> {
    const parameters: { [name: string]: Json } = {};
    const settings: { [name: string]: string | number } = {};
    for (const parameter of this.parameters()) {
      const text = this.inputs.get(`parameter ${parameter.name}`)?.value ?? '';
      const value = parsed(text, parameter.type);
      if (text.trim() && value !== undefined) {
        parameters[parameter.name] = value;
      }
    }
    for (const name of ['parallel', 'retries', 'timeout', 'name']) {
      const input = this.inputs.get(name);
      const text = input?.value.trim() ?? '';
      if (text) {
        settings[name] = input?.type === 'number' ? Number(text) : text;
      }
    }
    return { parameters, ...this.target.value, ...settings };
  }

  /** Shows how many steps would be executed with these settings. */
  private async refresh(): Promise<void> {
    const wrong = this.wrong();
    if (wrong) {
      this.plan.textContent = wrong;
      return;
    }
    const asked = (this.asked += 1);
    const settings = { path: this.open.host.path, ...this.getValue() };
    const text = await planRun(settings).catch(
      (error: unknown) => (error as Error).message
    );
    if (asked === this.asked) {
      this.plan.textContent = text;
    }
  }

  /** Marks the parameters whose text has another type; returns a sentence about the first. */
  private wrong(): string {
    let sentence = '';
    for (const { name, type } of this.parameters()) {
      const input = this.inputs.get(`parameter ${name}`);
      const fits =
        !input?.value.trim() || parsed(input.value, type) !== undefined;
      input?.setAttribute('aria-invalid', String(!fits));
      if (!fits && !sentence) {
        sentence = `${name}: ${type}`;
      }
    }
    return sentence;
  }

  private parameters(): readonly GraphParameter[] {
    return this.open.book.graph?.parameters ?? [];
  }

  private parameter(
    { name, type, default: usual }: GraphParameter,
    last: Json | undefined
  ): void {
    const id = `parameter ${name}`;
    const text = usual === null ? '' : plain(usual);
    const value = last === undefined ? '' : plain(last);
    const shown = value === text ? '' : value;
    if (type === 'bool') {
      const select = h(
        'select',
        { class: 'jp-mod-styled' },
        h('option', { value: '' }, text),
        h('option', { value: 'true' }, 'True'),
        h('option', { value: 'false' }, 'False')
      );
      select.value =
        typeof last === 'boolean' && last !== usual ? `${last}` : '';
      this.add(id, `${name}: ${type}`, select);
      return;
    }
    const input = h('input', {
      type: 'text',
      class: 'jp-mod-styled',
      placeholder: text,
      spellcheck: 'false',
      autocomplete: 'off',
      value: shown
    });
    this.add(id, `${name}: ${type}`, input);
  }

  private field(name: string, label: string, type = 'text'): void {
    this.add(name, label, h('input', { type, class: 'jp-mod-styled', min: 0 }));
  }

  private add(
    name: string,
    label: string,
    input: HTMLInputElement | HTMLSelectElement
  ): void {
    this.inputs.set(name, input);
    this.node.append(h('label', {}, h('span', {}, label), input));
  }

  private asked = 0;
  private readonly inputs = new Map<
    string,
    HTMLInputElement | HTMLSelectElement
  >();
  private readonly target: TargetFields;
  private readonly plan = h('p', { class: 'kfnb-soft' });
}
