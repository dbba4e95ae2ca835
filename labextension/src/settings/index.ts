/** A form for the options of a whole pipeline and its volumes, which are in the notebook's metadata. */

import type { Component, Context } from '../context';
import { fill, h } from '../dom';
import {
  FIELDS,
  list,
  record,
  VOLUME_FIELDS,
  type Field,
  type JsonObject
} from './fields';

/** The notebook's entry about its pipeline, for a page in which the notebook is open. */
export interface NotebookSettings {
  /** Returns `metadata.kfnb` as it is now; an empty object if there is none. */
  read(): JsonObject;
  /** Replaces `metadata.kfnb`; the page saves it with the notebook. */
  replace(settings: JsonObject): void;
}

type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

export class SettingsForm implements Component {
  readonly node: HTMLFormElement;
  /** Called when the form was applied or cancelled. */
  onClose: (applied: boolean) => void = () => undefined;

  constructor(
    host: HTMLElement,
    private readonly context: Context,
    private readonly settings: NotebookSettings
  ) {
    const { trans } = context;
    const before = settings.read();
    this.options = new Group(FIELDS, record(before.defaults), trans);
    const add = button(trans('Add a volume'));
    add.addEventListener('click', () => this.addVolume({}).focus());
    const cancel = button(trans('Cancel'));
    cancel.addEventListener('click', () => this.onClose(false));
    this.node = h(
      'form',
      {
        class: 'kfnb-settings',
        'aria-label': trans('Options of the pipeline')
      },
      this.options.node,
      this.volumeList,
      h(
        'div',
        { class: 'kfnb-settings-end' },
        add,
        h('span', { class: 'kfnb-space' }),
        h(
          'button',
          { type: 'submit', class: 'kfnb-button kfnb-primary' },
          trans('Set')
        ),
        cancel
      )
    );
    this.node.noValidate = true;
    list(before.volumes).forEach(volume => this.addVolume(volume));
    this.node.addEventListener('submit', event => {
      event.preventDefault();
      this.apply();
    });
    this.node.addEventListener('keydown', event => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        this.onClose(false);
      }
    });
    host.append(this.node);
  }

  focus(): void {
    this.options.focus();
  }

  dispose(): void {
    this.node.remove();
  }

  private addVolume(volume: JsonObject): Group {
    const { trans } = this.context;
    const group = new Group(VOLUME_FIELDS, volume, trans);
    const remove = button(trans('Remove this volume'));
    const box = h(
      'fieldset',
      {},
      h('legend', {}, trans('Volume')),
      group.node,
      remove
    );
    remove.addEventListener('click', () => {
      this.volumes = this.volumes.filter(one => one !== group);
      box.remove();
    });
    this.volumes = [...this.volumes, group];
    this.volumeList.append(box);
    return group;
  }

  private apply(): void {
    const options = this.options.values();
    const volumes = this.volumes.map(group => this.volume(group));
    const invalid = this.node.querySelector<Control>('[aria-invalid="true"]');
    if (invalid || options === null) {
      invalid?.focus();
      return;
    }
    const rest = Object.entries(this.settings.read()).filter(
      ([name]) => name !== 'defaults' && name !== 'volumes'
    );
    this.settings.replace({
      ...Object.fromEntries(rest),
      ...(Object.keys(options).length > 0 ? { defaults: options } : {}),
      ...(volumes.length > 0 ? { volumes: volumes.map(record) } : {})
    });
    this.onClose(true);
  }

  private volume(group: Group): JsonObject {
    const { trans } = this.context;
    const values = group.values() ?? {};
    if (!('mount' in values)) {
      group.complain('mount', trans('Every volume needs a folder.'));
    }
    if (!('claim' in values) && !('name' in values)) {
      group.complain(
        'claim',
        trans('Give a claim, or the name of a new volume.')
      );
    }
    return values;
  }

  private readonly options: Group;
  private readonly volumeList = h('div');
  private volumes: readonly Group[] = [];
}

/** Fields for the members of one object. */
class Group {
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

function button(text: string): HTMLButtonElement {
  return h('button', { type: 'button', class: 'kfnb-button' }, text);
}
