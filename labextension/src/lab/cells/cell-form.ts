/** The form of a chip: name, role, what the step comes after, its options, and running it. */

import type { CommandRegistry } from '@lumino/commands';
import { Widget } from '@lumino/widgets';
import { h } from '../../dom';
import { declared, rename, toRole, toStep } from '../../panel/declaration';
import type { CellText, Role } from '../../panel/outline';
import {
  applied,
  differences,
  explicitAfter,
  withAfter,
  withOptions
} from '../../panel/step-settings';
import type { GraphEdge } from '../../protocol';
import { FieldGroup } from '../../settings/field-group';
import { STEP_FIELDS, type JsonObject } from '../../settings/fields';
import { ids } from '../ids';
import type { Open, Session } from '../session';
import { nameFor, stepOfCells } from '../step-names';

const MARGIN = 8;
type Choice = 'step' | Role;

/** A form beside its anchor; nothing is written before Done. */
export class CellForm extends Widget {
  /**
   * @param scope - the ids of the cells that the form is about, in the notebook's order.
   * @param isNew - whether they become a step of their own, whatever step they are in now.
   */
  constructor(
    private readonly session: Session,
    private readonly commands: CommandRegistry,
    private readonly open: Open,
    private readonly scope: readonly string[],
    isNew: boolean
  ) {
    super({ node: h('form', { class: 'kfnb-cell-form', novalidate: true }) });
    const { trans } = session;
    const { book } = open;
    this.cells = book.cells.filter(cell => scope.includes(cell.id));
    this.step = isNew ? null : stepOfCells(book, scope);
    this.node.setAttribute('role', 'dialog');
    this.node.setAttribute('aria-label', trans.__('Step of the cell'));
    this.name.value = this.step ?? nameFor(book, this.cells);
    this.role.append(
      ...this.roles().map(([value, label]) => h('option', { value }, label))
    );
    const role = declared(this.cells[0] ?? NO_CELL).role;
    this.role.value = role ?? 'step';
    this.options = new FieldGroup(STEP_FIELDS, this.optionsBefore(), text =>
      trans.__(text)
    );
    this.after = [...explicitAfter(this.cells)];
    this.build();
    this.node.addEventListener('submit', event => {
      event.preventDefault();
      this.apply();
    });
    this.node.addEventListener('keydown', event => {
      // Keys of the notebook mean nothing here.
      event.stopPropagation();
      if (event.key === 'Escape') {
        this.close();
      }
    });
    this.role.addEventListener('change', () => this.showRole());
    this.showRole();
  }

  /** Opens the form below an element, or above it if there is more room. */
  openAt(anchor: Element): void {
    Widget.attach(this, document.body);
    this.moveTo(anchor);
    this.more.addEventListener('toggle', () => this.moveTo(anchor));
    this.name.focus();
    this.name.select();
    document.addEventListener('pointerdown', this.outside, true);
  }

  override dispose(): void {
    document.removeEventListener('pointerdown', this.outside, true);
    super.dispose();
  }

  protected override onCloseRequest(): void {
    const { content } = this.open.host.panel;
    this.dispose();
    content.activate();
  }

  private moveTo(anchor: Element): void {
    const { left, top, bottom } = anchor.getBoundingClientRect();
    const { width, height } = this.node.getBoundingClientRect();
    const below = innerHeight - bottom - MARGIN;
    const y = height <= below ? bottom + 2 : Math.max(MARGIN, top - height - 2);
    const lowest = Math.max(MARGIN, innerHeight - height - MARGIN);
    const x = Math.min(left, innerWidth - width - MARGIN);
    this.node.style.left = `${Math.max(MARGIN, x)}px`;
    this.node.style.top = `${Math.min(y, lowest)}px`;
  }

  private roles(): [Choice, string][] {
    const { trans } = this.session;
    return [
      ['step', trans.__('a step')],
      ['setup', trans.__('setup, for every step that needs it')],
      ['parameters', trans.__('parameters of the pipeline')],
      ['metrics', trans.__('metrics of the run')],
      ['skip', trans.__('not in the pipeline')]
    ];
  }

  private build(): void {
    const { trans } = this.session;
    const { book } = this.open;
    const heading = nameFor(book, this.cells);
    const names = [heading, ...book.outline.steps.map(step => step.name)];
    const list = h(
      'datalist',
      { id: 'kfnb-step-names' },
      ...[...new Set(names.filter(Boolean))].map(value =>
        h('option', { value })
      )
    );
    this.name.setAttribute('list', list.id);
    this.more.append(h('summary', {}, trans.__('Options')), this.options.node);
    this.more.open = Object.keys(this.optionsBefore()).length > 0;
    const end = h(
      'div',
      { class: 'kfnb-cell-form-end' },
      h(
        'button',
        { type: 'submit', class: 'kfnb-button kfnb-main' },
        trans.__('Done')
      ),
      this.button(trans.__('Clear'), ids.clear),
      this.step !== null
        ? this.button(trans.__('Run only this'), ids.runOnly)
        : null,
      this.step !== null
        ? this.button(trans.__('Run from here'), ids.runFrom)
        : null,
      this.failed() ? this.button(trans.__('Debug here'), ids.debug) : null
    );
    // A field that loses the focus may get a longer hint, which would move the button away.
    end.addEventListener('mousedown', event => event.preventDefault());
    this.node.append(
      h('label', {}, trans.__('Name'), this.name),
      list,
      h('label', {}, trans.__('Role'), this.role),
      this.runsAfter,
      this.more,
      end
    );
  }

  private failed(): boolean {
    const { state } = this.open.book;
    return this.step !== null && state?.steps[this.step]?.status === 'failed';
  }

  private button(label: string, command: string): HTMLElement {
    const button = h('button', { type: 'button', class: 'kfnb-button' }, label);
    button.addEventListener('click', () => {
      const step = this.step === null ? {} : { step: this.step };
      const cells = { cells: [...this.scope] };
      this.close();
      void this.commands.execute(command, { ...step, ...cells });
    });
    return button;
  }

  /** Shows what belongs to the chosen role. */
  private showRole(): void {
    const isStep = this.role.value === 'step';
    this.name.closest('label')?.toggleAttribute('hidden', !isStep);
    this.runsAfter.hidden = !isStep;
    this.more.hidden = !isStep;
    this.showAfter();
  }

  private showAfter(): void {
    const { trans } = this.session;
    const { book } = this.open;
    const inferred = (book.graph?.edges ?? []).filter(
      edge => edge.target === this.step && !isOnlyExplicit(edge)
    );
    const left = h('select', { 'aria-label': trans.__('Add a step') });
    const others = book.outline.steps
      .map(step => step.name)
      .filter(name => name !== this.step && !this.after.includes(name));
    left.append(
      h('option', { value: '' }, trans.__('add…')),
      ...others.map(name => h('option', { value: name }, name))
    );
    left.addEventListener('change', () => {
      this.after = [...this.after, left.value];
      this.showAfter();
    });
    this.runsAfter.replaceChildren(
      h('legend', {}, trans.__('Runs after')),
      h(
        'ul',
        {},
        ...inferred.map(edge =>
          h(
            'li',
            {},
            edge.source,
            ' ',
            h('span', { class: 'kfnb-soft' }, edge.why)
          )
        ),
        ...this.after.map(name => this.removable(name))
      ),
      ...(others.length ? [left] : [])
    );
  }

  private removable(name: string): HTMLElement {
    const { trans } = this.session;
    const remove = h(
      'button',
      {
        type: 'button',
        class: 'kfnb-link',
        'aria-label': trans.__('Do not run after %1', name)
      },
      '×'
    );
    remove.addEventListener('click', () => {
      this.after = this.after.filter(one => one !== name);
      this.showAfter();
    });
    return h('li', {}, name, ' ', remove);
  }

  private apply(): void {
    const cells = this.open.book.cells;
    const choice = this.role.value as Choice;
    const options = this.options.values();
    if (choice === 'step' && options === null) {
      this.more.open = true;
      this.node.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
      return;
    }
    const changed =
      choice === 'step'
        ? this.asStep(cells, options ?? {})
        : applied(cells, toRole(this.mine(cells), choice));
    this.session.edit(this.open, differences(cells, changed));
    this.close();
  }

  private asStep(cells: readonly CellText[], options: JsonObject): CellText[] {
    const to = this.name.value.trim();
    const names = this.open.book.outline.steps.map(step => step.name);
    let result = [...cells];
    if (to && this.step !== null && to !== this.step && !names.includes(to)) {
      result = applied(result, rename(result, this.step, to));
    }
    const mine = this.mine(result);
    if (to && mine.some(cell => declared(cell).step !== to)) {
      const own = mine.filter(cell => declared(cell).by !== null);
      // The other cells of a step follow the one that declares it.
      const members = this.step === null || !own.length ? mine : own;
      result = applied(result, toStep(to === this.step ? [] : members, to));
    }
    const before = this.optionsBefore();
    const settled = withOptions(
      withAfter(this.mine(result), this.after),
      before,
      options
    );
    return applied(result, differences(this.mine(result), settled));
  }

  private mine(cells: readonly CellText[]): CellText[] {
    return cells.filter(cell => this.scope.includes(cell.id));
  }

  private optionsBefore(): JsonObject {
    const node = this.open.book.graph?.nodes.find(one => one.id === this.step);
    const own = this.cells[0]?.own?.options;
    return (
      node?.options ??
      (own && typeof own === 'object' && !Array.isArray(own) ? own : {})
    );
  }

  private readonly outside = (event: Event): void => {
    if (!this.node.contains(event.target as Node)) {
      this.close();
    }
  };

  private readonly cells: readonly CellText[];
  private readonly step: string | null;
  private after: readonly string[];
  private readonly options: FieldGroup;
  private readonly name = h('input', {
    type: 'text',
    class: 'jp-mod-styled',
    autocomplete: 'off',
    spellcheck: 'false'
  });
  private readonly role = h('select');
  private readonly runsAfter = h('fieldset');
  private readonly more = h('details');
}

const NO_CELL: CellText = {
  id: '',
  type: 'code',
  source: '',
  tags: [],
  own: null
};

function isOnlyExplicit(edge: GraphEdge): boolean {
  return edge.explicit && !edge.names.length && !edge.files.length;
}
