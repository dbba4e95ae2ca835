/** A cell: its source, closed at first, and what it put out. */

import type { Context } from '../context';
import { fill, h } from '../dom';
import { visible } from '../format';
import type { CellOutputs, Json } from '../protocol';
import { output } from './render-output';
import { source } from './text';

export class Cell {
  readonly node: HTMLElement;

  constructor(
    cell: number,
    private readonly context: Context
  ) {
    const { trans } = context;
    this.node = h(
      'section',
      {
        class: 'kfnb-output-cell',
        'data-cell': cell,
        'aria-label': `${trans('Cell')} ${cell}`
      },
      h(
        'details',
        { class: 'kfnb-output-source' },
        h('summary', {}, h('b', {}, `${trans('Cell')} ${cell}`), this.first),
        this.source
      ),
      this.outputs
    );
  }

  /** Makes anew what is not what it was; the rest stays, as it was scrolled, sized and opened. */
  update({ source: code, outputs }: CellOutputs): void {
    if (code !== this.code) {
      this.code = code;
      const first = code.split('\n').find(line => line.trim()) ?? '';
      this.first.textContent = visible(first.trim().slice(0, 120));
      fill(this.source, source(code, 'kfnb-output-code', this.context));
    }
    outputs.forEach((data, n) => {
      const before = this.shown[n];
      if (before && same(before, data)) {
        return;
      }
      const made = output(data, this.context);
      const old = this.outputs.children[n];
      if (old) {
        old.replaceWith(made);
      } else {
        this.outputs.append(made);
      }
    });
    while (this.outputs.children.length > outputs.length) {
      this.outputs.lastElementChild?.remove();
    }
    this.shown = outputs;
  }

  /** Draws all outputs again, in the colours of the page as it is now. */
  repaint(): void {
    const { shown } = this;
    this.shown = [];
    this.update({ cell: 0, source: this.code ?? '', outputs: shown });
  }

  private readonly first = h('code');
  private readonly source = h('div');
  private readonly outputs = h('div', { class: 'kfnb-output-list' });
  private shown: CellOutputs['outputs'] = [];
  private code: string | null = null;
}

function same(a: Json, b: Json): boolean {
  if (a === b) {
    return true;
  }
  if (
    typeof a !== 'object' ||
    typeof b !== 'object' ||
    a === null ||
    b === null ||
    Array.isArray(a) !== Array.isArray(b)
  ) {
    return false;
  }
  const [x, y] = [a, b].map(one => Object.entries(one));
  const other = b as Readonly<Record<string, Json>>;
  return (
    x !== undefined &&
    x.length === y?.length &&
    x.every(
      ([key, value]) =>
        Object.hasOwn(other, key) && same(value, other[key] ?? null)
    )
  );
}
