/** The button `+ step` of a hovered cell that begins no step. */

import type { Cell } from '@jupyterlab/cells';
import { h } from '../../dom';
import type { Book } from '../../panel/book';
import type { NotebookHost } from '../notebook';
import type { Session } from '../session';

export class AddStep {
  /** Called with the button and the ids of the cells that shall become a step. */
  onAdd: (button: HTMLElement, cells: readonly string[]) => void = () =>
    undefined;

  constructor(
    private readonly session: Session,
    private readonly host: NotebookHost,
    private readonly book: Book
  ) {
    const { trans } = session;
    this.button = h(
      'button',
      {
        class: 'kfnb-add-step',
        tabindex: -1,
        title: trans.__('Make a step of this cell, or of the selected ones')
      },
      trans.__('+ step')
    );
    const { node } = host.panel.content;
    node.addEventListener('pointerover', this.over);
    node.addEventListener('pointerleave', this.leave);
    for (const type of ['mousedown', 'pointerdown', 'mouseup', 'click']) {
      // The notebook would select the cell, and forget the cells that are selected.
      this.button.addEventListener(type, event => event.stopPropagation());
    }
    this.button.addEventListener('click', () => this.add());
  }

  dispose(): void {
    const { node } = this.host.panel.content;
    node.removeEventListener('pointerover', this.over);
    node.removeEventListener('pointerleave', this.leave);
    this.leave();
  }

  private readonly over = (event: PointerEvent): void => {
    const node =
      event.target instanceof Element ? event.target.closest('.jp-Cell') : null;
    const cell = this.host.panel.content.widgets.find(one => one.node === node);
    if (cell === this.cell) {
      return;
    }
    this.leave();
    if (cell && this.fits(cell)) {
      this.cell = cell;
      cell.node.classList.add('kfnb-hovered');
      cell.node.append(this.button);
    }
  };

  private readonly leave = (): void => {
    this.cell?.node.classList.remove('kfnb-hovered');
    this.cell = null;
    this.button.remove();
  };

  /** Whether a step may begin at the cell, and none does. */
  private fits(cell: Cell): boolean {
    const { id, type } = cell.model;
    const { outline, proposal } = this.book;
    const marked = [
      ...outline.steps.map(step => step.cells[0]),
      ...outline.setup,
      ...outline.parameters,
      ...outline.metrics,
      ...outline.skip
    ];
    const untagged =
      outline.steps.length < 2 && outline.steps[0]?.cells[0] === id;
    return (
      this.session.preferences.chips &&
      type === 'code' &&
      proposal === null &&
      (untagged || !marked.includes(id))
    );
  }

  private add(): void {
    const { cell, host } = this;
    if (!cell) {
      return;
    }
    const { id } = cell.model;
    const selected = host.selected();
    this.onAdd(this.button, selected.includes(id) ? selected : [id]);
  }

  private readonly button: HTMLElement;
  private cell: Cell | null = null;
}
