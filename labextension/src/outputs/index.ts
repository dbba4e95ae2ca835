/** The outputs of a step's cells, read from its executed notebook. */

import type { Component, Context } from '../context';
import { fill, h } from '../dom';
import { onAppear } from '../logs/on-appear';
import type { OutputsMessage } from '../protocol';
import { Cell } from './cell';

export class OutputsView implements Component {
  readonly node: HTMLElement;

  constructor(
    host: HTMLElement,
    private readonly context: Context
  ) {
    this.node = h(
      'div',
      {
        class: 'kfnb-outputs',
        role: 'group',
        'aria-label': context.trans('Outputs of the step'),
        tabindex: 0
      },
      this.note,
      this.list
    );
    this.node.addEventListener('scroll', () => {
      if (this.node.clientHeight) {
        this.top = this.node.scrollTop;
      }
    });
    onAppear(this.node, () => (this.node.scrollTop = this.top));
    this.leave = context.theme.connect(() => this.repaint());
    host.append(this.node);
  }

  /** Asks for the outputs; those of the same step and attempt stay until the answer comes. */
  open(step: string, attempt: number | null): void {
    if (step !== this.step || attempt !== this.wanted) {
      this.step = step;
      this.wanted = attempt;
      this.clear();
      this.showNote(
        this.context.trans('Waiting for the kernel to read the outputs.')
      );
    }
    this.context.post({ kind: 'outputs', step, index: '', attempt });
  }

  show(message: OutputsMessage): void {
    const { step, wanted } = this;
    const { attempt, cells } = message;
    if (message.step !== step || (wanted !== null && attempt !== wanted)) {
      return; // the answer to a request for what was open before
    }
    if (attempt !== this.attempt) {
      this.clear();
      this.attempt = attempt;
    }
    this.showNote(cells.length ? null : this.why(attempt));
    const present = new Set(cells.map(({ location }) => location.cell));
    for (const [number, cell] of this.cells) {
      if (!present.has(number)) {
        cell.node.remove();
        this.cells.delete(number);
      }
    }
    cells.forEach((data, n) => {
      let cell = this.cells.get(data.location.cell);
      if (!cell) {
        cell = new Cell(data.location, this.context);
        this.cells.set(data.location.cell, cell);
      }
      cell.update(data);
      // A frame that is moved loads its page again.
      const here = this.list.children[n];
      if (here !== cell.node) {
        this.list.insertBefore(cell.node, here ?? null);
      }
    });
  }

  dispose(): void {
    this.leave();
    this.node.remove();
  }

  private why(attempt: number): string {
    const { trans } = this.context;
    return attempt === 0
      ? trans('This step has not started, so it has no outputs.')
      : trans('No output yet.');
  }

  private showNote(text: string | null): void {
    this.note.hidden = text === null;
    this.note.textContent = text ?? '';
  }

  private clear(): void {
    this.attempt = null;
    this.cells.clear();
    fill(this.list);
    this.top = 0;
    this.node.scrollTop = 0;
  }

  /** Repeats the drawing, because frames do not inherit the colours of the page. */
  private repaint(): void {
    for (const cell of this.cells.values()) {
      cell.repaint();
    }
  }

  private readonly note = h('p', { class: 'kfnb-outputs-empty', hidden: true });
  private readonly list = h('div');
  private readonly cells = new Map<number, Cell>();
  private readonly leave: () => void;
  private top = 0;
  private step: string | null = null;
  private wanted: number | null = null;
  private attempt: number | null = null;
}
