/** Where a run executes: the target, its workspace with what one may do there, and its options. */

import { fill, h } from '../../dom';
import type { Json } from '../../protocol';
import type { NewRun, TargetInfo, TargetOption, Workspace } from '../server';
import { examineTarget, targets, workspaces } from '../server';
import type { Session } from '../session';

type Control = HTMLInputElement | HTMLSelectElement;

export class TargetFields {
  readonly node = h('div', { class: 'kfnb-target' });

  constructor(private readonly session: Session) {
    const { trans, preferences } = session;
    this.target.append(
      h('option', { value: 'local' }, trans.__('this machine'))
    );
    this.node.append(
      labelled(trans.__('Where'), this.target),
      this.space,
      this.rights,
      this.more
    );
    this.target.addEventListener('change', () => void this.show());
    targets().then(
      list => {
        this.known = list;
        fill(
          this.target,
          ...list.map(one => h('option', { value: one.name }, one.title))
        );
        this.target.value = preferences.target;
        void this.show();
      },
      () => undefined
    );
  }

  get value(): Pick<NewRun, 'target' | 'target_options'> {
    const options: { [name: string]: Json } = {};
    for (const [name, control] of this.controls) {
      const text = control.value.trim();
      const kind = this.options.find(one => one.name === name)?.kind;
      if (text) {
        options[name] =
          kind === 'number'
            ? Number(text)
            : kind === 'list'
              ? text.split(/\s*,\s*/)
              : text;
      }
    }
    return {
      target: this.target.value || 'local',
      ...(Object.keys(options).length ? { target_options: options } : {})
    };
  }

  private get options(): readonly TargetOption[] {
    const { value } = this.target;
    return this.known.find(one => one.name === value)?.options ?? [];
  }

  private async show(): Promise<void> {
    const { trans } = this.session;
    const { value } = this.target;
    const info = this.known.find(one => one.name === value);
    this.controls.clear();
    fill(this.space);
    fill(this.rights);
    fill(this.more);
    if (!info) {
      return;
    }
    const others = info.options.filter(
      ({ name, kind }) =>
        !['context', 'namespace'].includes(name) && kind !== 'table'
    );
    if (others.length) {
      fill(
        this.more,
        h('summary', {}, trans.__('Options of this target')),
        ...others.map(option => this.option(option))
      );
    }
    if (info.options.some(one => one.name === 'context')) {
      await this.showWorkspaces(info);
    }
  }

  private async showWorkspaces({ name }: TargetInfo): Promise<void> {
    const { trans } = this.session;
    const list = await workspaces(name).catch(() => []);
    if (this.target.value !== name) {
      return;
    }
    const current = list.find(one => one.current) ?? list[0];
    const context = h(
      'select',
      { class: 'jp-mod-styled' },
      ...list.map(one => h('option', { value: one.context }, one.context))
    );
    context.value = current?.context ?? '';
    const spaces = h('datalist', { id: 'kfnb-namespaces' });
    const namespace = h('input', {
      type: 'text',
      class: 'jp-mod-styled',
      list: spaces.id,
      value: current?.namespace ?? '',
      spellcheck: 'false'
    });
    const known = (): readonly Workspace[] =>
      list.filter(one => one.context === context.value);
    const offer = (): void =>
      fill(
        spaces,
        ...known().map(one => h('option', { value: one.namespace }))
      );
    context.addEventListener('change', () => {
      namespace.value = known()[0]?.namespace ?? '';
      offer();
    });
    offer();
    this.controls.set('context', context);
    this.controls.set('namespace', namespace);
    const examine = h(
      'button',
      { type: 'button', class: 'jp-mod-styled jp-mod-reject' },
      trans.__('What may I do there?')
    );
    examine.addEventListener('click', () => void this.examine(name));
    fill(
      this.space,
      labelled(trans.__('Context'), context),
      labelled(trans.__('Namespace'), namespace),
      spaces,
      examine
    );
  }

  /** Shows what a person may do in the workspace, and what runs would miss there. */
  private async examine(target: string): Promise<void> {
    const { trans } = this.session;
    fill(this.rights, h('li', {}, trans.__('The cluster is being asked…')));
    const [context, namespace] = ['context', 'namespace'].map(
      name => this.controls.get(name)?.value ?? ''
    );
    try {
      const findings = await examineTarget(target, { context, namespace });
      fill(
        this.rights,
        ...findings.map(one =>
          h(
            'li',
            { 'data-status': one.status },
            h('strong', {}, MARKS[one.status] ?? '·'),
            ' ',
            one.sentence,
            ...one.commands.map(command => h('code', {}, command))
          )
        )
      );
    } catch (error) {
      fill(this.rights, h('li', {}, (error as Error).message));
    }
  }

  private option({ name, help, kind, choices }: TargetOption): HTMLElement {
    const control = choices.length
      ? h(
          'select',
          { class: 'jp-mod-styled' },
          ...['', ...choices].map(value => h('option', { value }, value))
        )
      : h('input', {
          type: kind === 'number' ? 'number' : 'text',
          class: 'jp-mod-styled',
          spellcheck: 'false'
        });
    control.title = help;
    this.controls.set(name, control);
    return labelled(name, control);
  }

  private known: readonly TargetInfo[] = [];
  private readonly controls = new Map<string, Control>();
  private readonly target = h('select', { class: 'jp-mod-styled' });
  private readonly space = h('div', { class: 'kfnb-target' });
  private readonly rights = h('ul', { class: 'kfnb-rights', role: 'status' });
  private readonly more = h('details', { class: 'kfnb-target' });
}

/** Signs before the sentences about a workspace. */
const MARKS: Readonly<Record<string, string>> = {
  ok: '✓',
  fixed: '✓',
  missing: '✗',
  warning: '!',
  unknown: '?'
};

function labelled(label: string, input: HTMLElement): HTMLElement {
  return h('label', {}, h('span', {}, label), input);
}
