/** One plot: the metric's name, its legend and its drawing. */

import type { Context } from '../context';
import { fill, h } from '../dom';
import { visible } from '../format';
import { decimate, isSeen, NOTHING, visibleRange, union } from './decimate';
import { draw, type Box, type Line, type Tick } from './draw';
import { Legend, type Entry } from './legend';
import type { Inks } from './line-style';
import { distinct, number } from './number-format';
import { listen, type Gestures } from './pointer';
import {
  linear,
  logarithmic,
  logTicks,
  roomy,
  throughTicks,
  ticks,
  timeTicks,
  type Range
} from './scale';
import { smoothed } from './smoothing';
import { axisName, read, timeText, type Reading } from './tooltip';
import type { Curve, SeriesData, XAxis } from './series-data';
import type { Window } from './window';

/** Settings that all plots of a chart share. */
export interface Settings {
  readonly axis: XAxis;
  readonly log: boolean;
  /** Weight of the earlier values, from 0 (not smoothed) up to 1. */
  readonly smoothing: number;
  /** For each run, the time at which its axis begins. */
  origin(track: SeriesData): number;
}

export interface Handlers {
  /** The visible range changed, here and in all plots that share the window. */
  onWindow(): void;
  onHover(plot: Plot, x: number | null): void;
  onToggle(): void;
}

/** Pixels between the edges and the first and last point. */
const PAD = 6;
/** Pixels for the numbers and the title of the horizontal axis. */
const BELOW = 36;

export class Plot implements Gestures {
  readonly node: HTMLElement;
  readonly legend: Legend;
  readonly area: HTMLElement;
  entries: readonly Entry[] = [];
  dirty = true;

  constructor(
    readonly name: string,
    private readonly context: Context,
    private readonly settings: Settings,
    private readonly handlers: Handlers,
    public window: Window
  ) {
    const { trans } = context;
    this.legend = new Legend(context, () => handlers.onToggle());
    this.area = h(
      'div',
      {
        class: 'kfnb-chart-area',
        tabindex: 0,
        role: 'group',
        'aria-label': `${visible(name)}. ${trans('Arrow keys move, plus and minus zoom, 0 shows everything. The values are also in the table below the plots.')}`
      },
      this.canvas,
      this.brush,
      this.cross,
      this.nothing
    );
    this.node = h(
      'div',
      { class: 'kfnb-chart-metric' },
      h(
        'div',
        { class: 'kfnb-chart-head' },
        h('div', { class: 'kfnb-chart-name' }, h('bdi', {}, visible(name))),
        this.legend.node
      ),
      this.area,
      this.notes
    );
    listen(this.area, this);
  }

  get shown(): SeriesData[] {
    return this.entries
      .map(({ track }) => track)
      .filter(({ hidden }) => !hidden);
  }

  set(entries: readonly Entry[]): void {
    this.entries = entries;
    this.legend.set(entries.map(entry => [entry]));
    this.dirty = true;
  }

  curve(track: SeriesData): Curve {
    return track.curve(this.settings.axis, this.settings.origin(track));
  }

  /** The range of x of all lines, hidden ones too, so that hiding a line moves nothing. */
  get extent(): Range {
    return this.entries.reduce<Range>((range, { track }) => {
      const { xs } = this.curve(track);
      return xs.length ? union(range, [xs.at(0), xs.at(xs.length - 1)]) : range;
    }, NOTHING);
  }

  /** Converts pixels from the left to x. */
  x(pixels: number): number {
    const { box } = this;
    return linear(
      [box.left, box.right],
      this.window.range
    )(Math.min(box.right, Math.max(box.left, pixels)));
  }

  /** Converts x to pixels from the left. */
  pixels(x: number): number {
    return linear(this.window.range, [this.box.left, this.box.right])(x);
  }

  /** The values of the lines at an x. */
  readings(x: number): Reading[] {
    return this.entries
      .filter(({ track }) => !track.hidden)
      .map(entry => ({ entry, ...read(this.curve(entry.track), x) }));
  }

  paint(inks: Inks): void {
    const [width, height] = [this.area.clientWidth, this.area.clientHeight];
    const pen = width > 0 ? this.canvas.getContext('2d') : null;
    if (!pen) {
      return; // not on the page; it is drawn when it gets a size
    }
    this.dirty = false;
    const dense = globalThis.devicePixelRatio || 1;
    const [across, down] = [
      Math.round(width * dense),
      Math.round(height * dense)
    ];
    if (this.canvas.width !== across || this.canvas.height !== down) {
      this.canvas.width = across;
      this.canvas.height = down;
    }
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    const { log, axis, smoothing } = this.settings;
    const { range } = this.window;
    const lines = this.entries
      .filter(({ track }) => !track.hidden)
      .flatMap(({ track, look }): Line[] => {
        const curve = this.curve(track);
        const line = (shown: Curve, faint: boolean): Line => ({
          look,
          faint,
          stroke: decimate(shown, range, width, log)
        });
        return smoothing === 0
          ? [line(curve, false)]
          : [line(curve, true), line(smoothed(curve, smoothing), false)];
      });
    const rows = height / 36;
    const seen = lines
      .map(({ stroke }) => visibleRange(stroke, range))
      .reduce(union, NOTHING);
    const ys =
      log || !(seen[0] < seen[1]) ? roomy(seen, log) : throughTicks(seen, rows);
    pen.font = inks.font;
    const yTicks = labelled((log ? logTicks : ticks)(ys, rows));
    const widest = Math.max(
      0,
      ...yTicks.map(({ text }) => pen.measureText(text).width)
    );
    this.box = {
      left: Math.min(Math.ceil(widest) + 12, width / 2) + PAD,
      top: 8,
      right: width - PAD - 4,
      bottom: height - BELOW
    };
    const { box } = this;
    draw(
      pen,
      {
        width,
        height,
        box,
        x: linear(range, [box.left, box.right]),
        y: (log ? logarithmic : linear)(ys, [box.bottom, box.top]),
        xTicks: this.xTicks(range, (box.right - box.left) / 80),
        xTitle: axisName(axis, this.context),
        yTicks,
        lines
      },
      inks
    );
    this.describe(lines);
  }

  /** Marks the x of the tooltip's values; null removes the mark. */
  point(x: number | null): void {
    const seen =
      x !== null && x >= this.window.range[0] && x <= this.window.range[1];
    this.cross.hidden = !seen;
    if (seen) {
      this.cross.style.left = `${this.pixels(x)}px`;
    }
  }

  // Gestures

  hover(x: number | null): void {
    this.handlers.onHover(this, x);
  }

  mark(piece: readonly [number, number] | null): void {
    this.brush.hidden = piece === null;
    if (piece) {
      const { left, right } = this.box;
      const [from, to] = [Math.min(...piece), Math.max(...piece)].map(x =>
        Math.min(right, Math.max(left, x))
      ) as [number, number];
      this.brush.style.left = `${from}px`;
      this.brush.style.width = `${to - from}px`;
    }
  }

  choose(from: number, to: number): void {
    const [low, high] = [this.x(from), this.x(to)];
    if (low < high) {
      this.window.show([low, high]);
      this.handlers.onWindow();
    }
  }

  pan(share: number): void {
    this.window.pan(share);
    this.handlers.onWindow();
  }

  zoom(factor: number, x: number | null): void {
    this.window.zoom(factor, x === null ? undefined : this.x(x));
    this.handlers.onWindow();
  }

  reset(): void {
    this.window.reset();
    this.handlers.onWindow();
  }

  private xTicks(range: Range, count: number): Tick[] {
    if (this.settings.axis === 'time') {
      return timeTicks(range, count).map(at => ({ at, text: timeText(at) }));
    }
    // There is no step between two steps.
    return labelled(
      ticks(range, count).filter(
        at => Number.isInteger(at) || range[1] - range[0] < 2
      )
    );
  }

  /** Describes in words what the drawing cannot show. */
  private describe(lines: readonly Line[]): void {
    const { trans } = this.context;
    const tracks = this.shown;
    const { axis, log } = this.settings;
    const sum = (count: (track: SeriesData) => number): number =>
      tracks.reduce((all, track) => all + count(track), 0);
    const odd = sum(track => track.count - track.finite);
    const low = log ? sum(track => track.finite - track.positive) : 0;
    const numbered = tracks.filter(track => track.axis(axis) === axis);
    const lost =
      axis === 'step'
        ? numbered.reduce((all, { count, numbered: of }) => all + count - of, 0)
        : 0;
    const notes = [
      odd > 0 &&
        `${trans('Values that are not finite numbers (gaps, marked × below):')} ${odd}`,
      low > 0 &&
        `${trans('Values of zero or less, which a logarithmic scale cannot show (gaps, marked × below):')} ${low}`,
      lost > 0 && `${trans('Points without a step, left out:')} ${lost}`,
      numbered.length < tracks.length &&
        trans('Logged without steps: points by their order.')
    ].filter(note => note !== false);
    fill(this.notes, ...notes.map(note => h('p', {}, note)));
    const drawn = lines.some(({ stroke }) => isSeen(stroke, this.window.range));
    this.nothing.hidden = drawn;
    if (!drawn) {
      this.nothing.textContent =
        tracks.length === 0
          ? trans('All lines are hidden.')
          : trans('Nothing to draw in this range.');
    }
  }

  private readonly canvas = h('canvas', { 'aria-hidden': 'true' });
  private readonly brush = h('div', {
    class: 'kfnb-chart-brush',
    hidden: true
  });
  private readonly cross = h('div', {
    class: 'kfnb-chart-cross',
    hidden: true
  });
  private readonly nothing = h('p', {
    class: 'kfnb-chart-nothing',
    hidden: true
  });
  private readonly notes = h('div', { class: 'kfnb-chart-notes' });
  private box: Box = { left: 0, top: 0, right: 1, bottom: 1 };
}

function labelled(at: readonly number[]): Tick[] {
  const texts = distinct(at);
  return at.map((value, n) => ({ at: value, text: texts[n] ?? number(value) }));
}
