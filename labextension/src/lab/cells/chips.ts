/** Chips at the cells: where a step begins or a role is set, and a band below a cell that failed. */

import type { Cell } from '@jupyterlab/cells';
import type { PanelLayout } from '@lumino/widgets';
import { Widget } from '@lumino/widgets';
import { fill, h } from '../../dom';
import { duration } from '../../format';
import type { Book } from '../../panel/book';
import { stepRows } from '../../panel/rows';
import { glyph } from '../../status';
import type { NotebookHost } from '../notebook';
import type { Session } from '../session';

interface Look {
  readonly text: string;
  readonly status: string | null;
  readonly detail: string;
  readonly errors: number;
  readonly proposed: boolean;
  readonly failure: string;
  /** What the chip's form is about: all cells of the step, or the cell with the role. */
  readonly scope: readonly string[];
}

export class Chips {
  constructor(
    private readonly session: Session,
    private readonly host: NotebookHost,
    private readonly book: Book
  ) {}

  /** Shows the chips that the cells in view should have. */
  update(): void {
    const looks = this.session.preferences.chips ? this.looks() : new Map();
    const members = this.members();
    for (const cell of this.host.panel.content.widgets) {
      const { id } = cell.model;
      const look = looks.get(id) as Look | undefined;
      const step = members.get(id);
      cell.toggleClass('kfnb-cell', step !== undefined);
      cell.node.style.setProperty('--kfnb-hue', String(step ?? 0));
      // A cell that is not in view has no layout yet; it is asked again when it comes into view.
      if (cell.isPlaceholder()) {
        this.watch(cell);
        continue;
      }
      this.showChip(cell, look);
    }
  }

  dispose(): void {
    for (const chip of this.chips.values()) {
      chip.dispose();
    }
    this.chips.clear();
  }

  private looks(): Map<string, Look> {
    const { outline, graph, state, proposal } = this.book;
    const { trans } = this.session;
    const looks = new Map<string, Look>();
    const plain = (text: string): Look => ({
      text,
      status: null,
      detail: '',
      errors: 0,
      proposed: proposal !== null,
      failure: '',
      scope: []
    });
    const shown = proposal ?? outline;
    for (const [ids, text] of [
      [shown.setup, trans.__('setup')],
      [shown.parameters, trans.__('parameters')],
      [proposal ? [] : outline.metrics, trans.__('metrics')],
      [proposal ? [] : outline.skip, trans.__('skip')]
    ] as const) {
      for (const id of ids) {
        looks.set(id, { ...plain(text), scope: [id] });
      }
    }
    for (const row of stepRows(
      outline,
      graph,
      state?.steps ?? null,
      proposal
    )) {
      const [first] = row.cells;
      const error = row.state?.error;
      if (first !== undefined) {
        looks.set(first, {
          ...plain(row.name),
          status: row.state?.status ?? null,
          detail:
            typeof row.state?.duration === 'number'
              ? duration(row.state.duration)
              : '',
          errors: row.errors,
          scope: row.cells
        });
      }
      const failed = error?.location?.id;
      if (
        failed !== undefined &&
        row.state?.status === 'failed' &&
        this.closed !== this.book.run?.id
      ) {
        const line = error?.location?.line;
        const about = line ? trans.__('line %1', line) : '';
        looks.set(failed, {
          ...(looks.get(failed) ?? plain('')),
          failure: [
            error?.ename ?? trans.__('Failed'),
            error?.evalue,
            about,
            trans.__('run %1', this.book.run?.id.slice(-4) ?? '')
          ]
            .filter(Boolean)
            .join(' · ')
        });
      }
    }
    return looks;
  }

  /** The colour of each cell's step, by the number of the step. */
  private members(): Map<string, number> {
    const shown = this.book.proposal ?? this.book.outline;
    return new Map(
      shown.steps.flatMap((step, number) =>
        step.cells.map(id => [id, (number * 137) % 360] as const)
      )
    );
  }

  private showChip(cell: Cell, look: Look | undefined): void {
    const old = this.chips.get(cell);
    if (!look) {
      old?.dispose();
      this.chips.delete(cell);
      return;
    }
    const key = JSON.stringify(look);
    if (old && !old.isDisposed && old.node.dataset.look === key) {
      return;
    }
    const chip = old && !old.isDisposed ? old : new Widget();
    chip.node.dataset.look = key;
    chip.addClass('kfnb-chip-row');
    fill(
      chip.node,
      look.text ? this.chip(cell.model.id, look) : null,
      this.band(look)
    );
    if (chip !== old) {
      (cell.layout as PanelLayout).insertWidget(0, chip);
      this.chips.set(cell, chip);
    }
  }

  private chip(id: string, look: Look): HTMLElement {
    const { trans } = this.session;
    const chip = h(
      'button',
      {
        class: look.proposed ? 'kfnb-chip kfnb-proposed' : 'kfnb-chip',
        'aria-haspopup': 'dialog',
        'aria-label': [look.text, look.status ?? '', look.detail]
          .filter(Boolean)
          .join(', '),
        title: look.proposed
          ? trans.__('Proposed; nothing is written before you accept')
          : trans.__(
              'Name, role and options of this cell, and running its step'
            )
      },
      look.status ? glyph(look.status) : null,
      look.text,
      look.detail ? h('span', { class: 'kfnb-soft' }, look.detail) : null,
      look.errors ? h('span', { class: 'kfnb-count' }, `!${look.errors}`) : null
    );
    chip.addEventListener('click', event => {
      event.stopPropagation();
      void this.host.goTo([id]).then(() => {
        if (!look.proposed) {
          this.onChip(chip, look.scope);
        }
      });
    });
    return chip;
  }

  private band(look: Look): HTMLElement | null {
    if (!look.failure) {
      return null;
    }
    const { trans } = this.session;
    const link = (label: string, act: () => void): HTMLElement => {
      const made = h('button', { class: 'kfnb-link' }, label);
      made.addEventListener('click', act);
      return made;
    };
    const close = link('×', () => {
      this.closed = this.book.run?.id ?? null;
      this.update();
    });
    close.setAttribute('aria-label', trans.__('Hide this failure'));
    return h(
      'div',
      { class: 'kfnb-band', role: 'alert' },
      glyph('failed'),
      h('span', { class: 'kfnb-band-text' }, look.failure),
      link(trans.__('Run again'), () => this.onFailure('run')),
      link(trans.__('Debug here'), () => this.onFailure('debug')),
      link(trans.__('Log'), () => this.onFailure('log')),
      close
    );
  }

  private watch(cell: Cell): void {
    if (!this.watched.has(cell)) {
      this.watched.add(cell);
      void cell.ready.then(() => this.session.emit());
    }
  }

  /** Called with the chip that was clicked and its cells; the first one is active then. */
  onChip: (chip: HTMLElement, scope: readonly string[]) => void = () =>
    undefined;
  /** Called with what a person wants to do about a failure. */
  onFailure: (act: 'run' | 'debug' | 'log') => void = () => undefined;

  /** The run whose failure a person has hidden. */
  private closed: string | null = null;

  private readonly chips = new Map<Cell, Widget>();
  private readonly watched = new WeakSet<Cell>();
}
