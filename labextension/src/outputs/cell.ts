/** A cell with its outputs and its source, which is closed at first. */

import type { Context } from '../context';
import { fill, h } from '../dom';
import { visible } from '../format';
import { fullLocation } from '../location';
import type { CellOutputs, Json, Location } from '../protocol';
import { output } from './render-output';
import { source } from './text';

export class Cell {
  readonly node: HTMLElement;

  constructor(
    location: Location,
    private readonly context: Context
  ) {
    const { trans } = context;
    const count = location.execution_count;
    const label = count === null ? trans('Cell') : `[${count}]`;
    this.node = h(
      'section',
      {
        class: 'kfnb-output-cell',
        'data-cell': location.cell,
        'aria-label': `${trans('Cell')} ${fullLocation(location, trans)}`
      },
      h(
        'details',
        { class: 'kfnb-output-source' },
        h('summary', {}, h('b', {}, label), this.first),
        this.source
      ),
      this.outputs
    );
  }

  /** Replaces the outputs that changed; others keep how they were scrolled, sized and opened. */
  update({ source: code, outputs }: Omit<CellOutputs, 'location'>): void {
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

  /** Draws all outputs again, in the current colours of the page. */
  repaint(): void {
    const { shown } = this;
    this.shown = [];
    this.update({ source: this.code ?? '', outputs: shown });
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
