/** Controls for the options of a pipeline or of a step: each is checked when it changes. */

import type { Context } from '../context';
import { fill, h } from '../dom';
import type { Field, JsonObject } from './fields';

type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

/** Fields for the members of one object; those that it has besides are left as they are. */
export class FieldGroup {
  readonly node = h('div', { class: 'kfnb-settings-fields' });

  constructor(
    private readonly fields: readonly Field[],
    private readonly before: JsonObject,
    private readonly trans: Context['trans']
  ) {
    for (const field of fields) {
      const control = this.control(field);
      const id = `kfnb-${field.name}-${(made += 1)}`;
      const note = h('small', { id });
      control.setAttribute('aria-describedby', id);
      this.controls.set(field.name, control);
      this.notes.set(field.name, note);
      this.node.append(h('label', {}, trans(field.label), control, note));
      this.check(field);
      control.addEventListener('change', () => this.check(field));
      control.addEventListener('input', () => {
        if (control.getAttribute('aria-invalid') === 'true') {
          this.check(field);
        }
      });
    }
  }

  focus(): void {
    this.controls.get(this.fields[0]?.name ?? '')?.focus();
  }

  /** Returns the object that the fields give; null if one of them does not fit. */
  values(): JsonObject | null {
    const fit = this.fields.map(field => this.check(field)).every(Boolean);
    if (!fit) {
      return null;
    }
    const known = new Set(this.fields.map(({ name }) => name));
    const values = Object.fromEntries(
      Object.entries(this.before).filter(([name]) => !known.has(name))
    );
    for (const field of this.fields) {
      const { name } = field;
      const text = this.controls.get(name)?.value ?? '';
      const old = this.before[name];
      if (text.trim() === '') {
        continue;
      }
      // A text that was not changed keeps its value, which may be a number.
      const same = old !== undefined && field.text(old) === text;
      const value = same ? old : field.value(text);
      if (value !== null) {
        values[name] = value;
      }
    }
    return values;
  }

  /** Marks a field as wrong. */
  complain(name: string, sentence: string): void {
    this.controls.get(name)?.setAttribute('aria-invalid', 'true');
    const note = this.notes.get(name);
    if (note) {
      fill(note, sentence);
    }
  }

  private check(field: Field): boolean {
    const control = this.controls.get(field.name);
    const text = control?.value ?? '';
    const fits = text.trim() === '' || field.value(text) !== null;
    control?.setAttribute('aria-invalid', String(!fits));
    const note = this.notes.get(field.name);
    const hint = this.trans(field.hint);
    if (note) {
      fill(note, fits ? hint : `${this.trans('This does not fit:')} ${hint}`);
    }
    return fits;
  }

  private control(field: Field): Control {
    const old = this.before[field.name];
    const text = old === undefined ? '' : field.text(old);
    if (field.choices) {
      const select = h(
        'select',
        {},
        ...['', ...field.choices].map(choice =>
          h('option', { value: choice }, this.trans(choice))
        )
      );
      select.value = text;
      return select;
    }
    const plain = { spellcheck: 'false', autocomplete: 'off' };
    const control = field.lines
      ? h('textarea', { ...plain, rows: 2 })
      : h('input', { ...plain, type: 'text' });
    control.value = text;
    return control;
  }

  private readonly controls = new Map<string, Control>();
  private readonly notes = new Map<string, HTMLElement>();
}

/** Counts the fields of the page, whose ids must differ. */
let made = 0;
