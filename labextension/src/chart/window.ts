/** The visible part of an x axis; plots that share it zoom together. */

import type { Range } from './scale';

/** Smallest part of the whole that can be shown, because numbers have too few digits. */
const NEAREST = 1e-7;

export class Window {
  private full: Range = [0, 1];
  private view: Range | null = null;

  get range(): Range {
    return this.view ?? this.full;
  }

  get zoomed(): boolean {
    return this.view !== null;
  }

  /** Sets the range of all x. A range that the reader chose stays; otherwise all of it is shown. */
  setFull([low, high]: Range): void {
    this.full =
      low < high ? [low, high] : low === high ? [low - 0.5, low + 0.5] : [0, 1];
    if (this.view) {
      this.show(this.view);
    }
  }

  show([from, to]: Range): void {
    const [low, high] = this.full;
    const nearest = (high - low) * NEAREST;
    const width = Math.max(to - from, nearest);
    if (width >= high - low) {
      this.view = null;
      return;
    }
    const middle = (from + to) / 2;
    const start = Math.min(Math.max(middle - width / 2, low), high - width);
    this.view = [start, start + width];
  }

  /** Zooms out (a factor above one) or in around `at`. */
  zoom(factor: number, at = (this.range[0] + this.range[1]) / 2): void {
    const [low, high] = this.range;
    this.show([at - (at - low) * factor, at + (high - at) * factor]);
  }

  /** Moves by a fraction of the visible range. */
  pan(share: number): void {
    const [low, high] = this.range;
    const by = (high - low) * share;
    if (this.view) {
      this.show([low + by, high + by]);
    }
  }

  reset(): void {
    this.view = null;
  }
}
