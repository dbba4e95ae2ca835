/** A form for the options of a whole pipeline and its volumes, which are in the notebook's metadata. */

import type { Component, Context } from '../context';
import { h } from '../dom';
import { FieldGroup } from './field-group';
import { FIELDS, list, record, VOLUME_FIELDS, type JsonObject } from './fields';

/** The notebook's entry about its pipeline, for a page in which the notebook is open. */
export interface NotebookSettings {
  /** Returns `metadata.kfnb` as it is now; an empty object if there is none. */
  read(): JsonObject;
  /** Replaces `metadata.kfnb`; the page saves it with the notebook. */
  replace(settings: JsonObject): void;
}

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
    this.options = new FieldGroup(FIELDS, record(before.defaults), trans);
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

  private addVolume(volume: JsonObject): FieldGroup {
    const { trans } = this.context;
    const group = new FieldGroup(VOLUME_FIELDS, volume, trans);
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
    const invalid = this.node.querySelector<HTMLElement>(
      '[aria-invalid="true"]'
    );
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

  private volume(group: FieldGroup): JsonObject {
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

  private readonly options: FieldGroup;
  private readonly volumeList = h('div');
  private volumes: readonly FieldGroup[] = [];
}

function button(text: string): HTMLButtonElement {
  return h('button', { type: 'button', class: 'kfnb-button' }, text);
}
