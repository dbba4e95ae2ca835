/** The metrics of one or several runs, with a plot for each metric. */

import type { Component, Context } from '../context';
import { fill, h } from '../dom';
import type { Series } from '../protocol';
import { arrange, type Group } from './chart-layout';
import { Legend } from './legend';
import { inks } from './line-style';
import { isSingle, SingleValues } from './single-values';
import { Plot, type Handlers, type Settings } from './plot';
import { NOTHING, union } from './decimate';
import { axisName, snapped, Tooltip } from './tooltip';
import { keyOf, SeriesData, type XAxis } from './series-data';
import { ValueTable } from './value-table';
import { Window } from './window';

const AXES: readonly XAxis[] = ['step', 'time', 'index'];
/** Weights of the earlier values in a smoothed line. */
const SMOOTHINGS: readonly number[] = [0, 0.5, 0.8, 0.9, 0.95, 0.99];

export class MetricsChart implements Component, Handlers, Settings {
  readonly node: HTMLElement;
  log = false;
  axis: XAxis = 'step';
  smoothing = 0;

  constructor(
    host: HTMLElement,
    private readonly context: Context
  ) {
    const { trans } = context;
    this.tip = new Tooltip(context);
    this.values = new ValueTable(context, () => [...this.tracks.values()]);
    this.singles = new SingleValues(context);
    this.runs = new Legend(context, () => this.onToggle());
    this.runs.node.classList.replace('kfnb-chart-legend', 'kfnb-chart-runs');
    this.runs.node.setAttribute('aria-label', trans('Runs shown'));
    this.node = h(
      'div',
      { class: 'kfnb-chart', role: 'region', 'aria-label': trans('Metrics') },
      this.toolbar(),
      this.empty,
      this.runs.node,
      this.singles.node,
      this.plotsNode,
      this.values.node,
      this.tip.node
    );
    this.empty.textContent = trans(
      'No metrics yet. Values that a step logs with kfnb.log_metric(name, value, step=…) are drawn here.'
    );
    this.sizes = new ResizeObserver(() => this.repaint());
    this.sizes.observe(this.plotsNode);
    this.plotsNode.addEventListener('scroll', () => this.schedule());
    this.leave = context.theme.connect(() => this.repaint());
    host.append(this.node);
    this.update();
  }

  origin({ run }: SeriesData): number {
    return this.begun.get(run) ?? 0;
  }

  /** Replaces all series; those that the reader hid stay hidden. */
  setSeries(series: readonly Series[]): void {
    const hidden = new Set(
      [...this.tracks.values()].filter(one => one.hidden).map(one => one.key)
    );
    this.tracks.clear();
    this.add(series);
    for (const track of this.tracks.values()) {
      track.hidden = hidden.has(track.key);
    }
    this.rearrange();
  }

  /** Adds points to the series. */
  append(points: readonly Series[]): void {
    const known = this.tracks.size;
    this.add(points);
    if (this.tracks.size !== known || this.singles.grown) {
      this.rearrange();
    } else {
      this.update();
    }
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    this.values.dispose();
    this.sizes.disconnect();
    this.leave();
    this.node.remove();
  }

  // Calls by the plots

  onWindow(): void {
    this.tip.hide();
    this.point(null, null);
    this.update();
  }

  onToggle(): void {
    for (const { legend } of this.plots.values()) {
      legend.update();
    }
    this.runs.update();
    this.update();
  }

  onHover(plot: Plot, pixels: number | null): void {
    const curves = plot.shown.map(track => plot.curve(track));
    const x = pixels === null ? null : snapped(curves, plot.x(pixels));
    this.point(plot, x);
    if (x === null) {
      this.tip.hide();
      return;
    }
    this.tip.show(this.axis, x, plot.readings(x));
    const [at, own] = [plot.area, this.node].map(element =>
      element.getBoundingClientRect()
    ) as [DOMRect, DOMRect];
    const left = at.left - own.left;
    const top = at.top - own.top;
    this.tip.moveBeside(left + plot.pixels(x), {
      left,
      top,
      right: left + at.width,
      bottom: top + at.height
    });
  }

  private add(series: readonly Series[]): void {
    for (const one of series) {
      const key = keyOf(one);
      let track = this.tracks.get(key);
      if (!track) {
        this.tracks.set(key, (track = new SeriesData(one)));
      }
      track.append(one.points);
    }
    const tracks = [...this.tracks.values()];
    // Steps by default, if the points have any.
    const numbered =
      tracks.length === 0 || tracks.some(one => one.numbered > 0);
    this.axis = this.asked ?? (numbered ? 'step' : 'index');
    this.begun.clear();
    for (const { run, begins } of this.tracks.values()) {
      this.begun.set(run, Math.min(begins, this.begun.get(run) ?? Infinity));
    }
  }

  /** Rebuilds the plots whose metrics, steps or runs changed. */
  private rearrange(): void {
    const { groups, runs } = arrange([...this.tracks.values()]);
    const windows = new Map<string, Window>();
    this.singles.set(groups.filter(isSingle));
    const plots = groups
      .filter(group => !isSingle(group))
      .map(group => this.plot(group, windows));
    this.windows = windows;
    this.plots = new Map(plots.map(plot => [plot.name, plot]));
    plots.forEach(({ area }, n) => {
      // The chart has the name of its first plot.
      area.classList.toggle('kfnb-chart-plot', n === 0);
    });
    this.runs.set(runs);
    const several = runs.length > 1 && groups.length > 1;
    this.runs.node.hidden = !several;
    for (const { legend, entries } of plots) {
      // The legend of the runs makes one for each plot superfluous.
      const repeated = entries.every(
        ({ track, label }) => label === track.runLabel
      );
      legend.node.dataset.short = String(several && repeated);
    }
    this.plotsNode.dataset.many = String(plots.length > 1);
    const nodes = plots.map(({ node }) => node);
    if (
      nodes.some((node, n) => this.plotsNode.children[n] !== node) ||
      nodes.length !== this.plotsNode.children.length
    ) {
      fill(this.plotsNode, ...nodes);
    }
    this.update();
  }

  private plot(
    { name, entries, window: step }: Group,
    windows: Map<string, Window>
  ): Plot {
    // Each loop counts its own steps, but all plots share the axis of time.
    const key = JSON.stringify(this.axis === 'time' ? null : step);
    const window = windows.get(key) ?? this.windows.get(key) ?? new Window();
    windows.set(key, window);
    const plot =
      this.plots.get(name) ?? new Plot(name, this.context, this, this, window);
    plot.window = window;
    plot.set(entries);
    return plot;
  }

  /** Updates the numbers at once and the drawing in the next frame. */
  private update(): void {
    const plots = [...this.plots.values()];
    for (const window of this.windows.values()) {
      const sharing = plots.filter(plot => plot.window === window);
      window.setFull(
        sharing.map(({ extent }) => extent).reduce(union, NOTHING)
      );
    }
    const there = plots.length > 0;
    this.singles.update();
    this.empty.hidden = there || this.singles.groups.length > 0;
    this.bar.hidden = !there;
    this.values.node.hidden = !this.empty.hidden;
    const [first] = plots;
    const { dataset } = this.node;
    dataset.series = String(
      plots.reduce((sum, { shown }) => sum + shown.length, this.singles.shown)
    );
    if (first) {
      [dataset.xMin, dataset.xMax] = first.window.range.map(String);
    } else {
      delete dataset.xMin;
      delete dataset.xMax;
    }
    dataset.zoomed = String(plots.some(plot => plot.window.zoomed));
    this.select.value = this.axis;
    this.values.update();
    this.repaint();
  }

  private repaint(): void {
    for (const plot of this.plots.values()) {
      plot.dirty = true;
    }
    this.schedule();
  }

  /** Draws once for all changes since the last frame, and only the plots in view. */
  private schedule(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      const { scrollTop, clientHeight } = this.plotsNode;
      const colors = inks(this.node);
      for (const plot of this.plots.values()) {
        const { offsetTop, offsetHeight } = plot.node;
        const seen =
          offsetTop <= scrollTop + clientHeight &&
          offsetTop + offsetHeight >= scrollTop;
        if (plot.dirty && seen) {
          plot.paint(colors);
        }
      }
    });
  }

  private point(plot: Plot | null, x: number | null): void {
    for (const other of this.plots.values()) {
      other.point(plot && other.window === plot.window ? x : null);
    }
  }

  private toolbar(): HTMLElement {
    const { trans } = this.context;
    const log = h(
      'button',
      { type: 'button', class: 'kfnb-button', 'aria-pressed': 'false' },
      trans('Log scale')
    );
    log.addEventListener('click', () => {
      this.log = !this.log;
      log.setAttribute('aria-pressed', String(this.log));
      this.update();
    });
    const reset = h(
      'button',
      { type: 'button', class: 'kfnb-button' },
      trans('Reset zoom')
    );
    reset.addEventListener('click', () => {
      for (const window of this.windows.values()) {
        window.reset();
      }
      this.onWindow();
    });
    fill(
      this.select,
      ...AXES.map(axis =>
        h('option', { value: axis }, axisName(axis, this.context))
      )
    );
    this.select.addEventListener('change', () => {
      this.axis = this.asked = this.select.value as XAxis;
      // A zoomed range of steps has no meaning on the axis of time.
      this.windows.clear();
      this.tip.hide();
      this.rearrange();
    });
    const smooth = h('select');
    fill(
      smooth,
      ...SMOOTHINGS.map(weight =>
        h(
          'option',
          { value: weight },
          weight === 0 ? trans('none') : String(weight)
        )
      )
    );
    smooth.addEventListener('change', () => {
      this.smoothing = Number(smooth.value);
      this.update();
    });
    fill(
      this.bar,
      h('label', {}, trans('X axis'), this.select),
      h('label', {}, trans('Smoothing'), smooth),
      log,
      reset,
      h(
        'span',
        { class: 'kfnb-quiet' },
        trans(
          'Drag to zoom, Shift+drag to move, Ctrl+wheel to zoom, double-click to reset'
        )
      )
    );
    return this.bar;
  }

  private readonly bar = h('div', { class: 'kfnb-chart-bar' });
  private readonly select = h('select');
  private readonly empty = h('p', { class: 'kfnb-chart-empty' });
  private readonly plotsNode = h('div', { class: 'kfnb-chart-plots' });
  private readonly singles: SingleValues;
  private readonly runs: Legend;
  private readonly values: ValueTable;
  private readonly tip: Tooltip;
  private readonly sizes: ResizeObserver;
  private readonly leave: () => void;
  private readonly tracks = new Map<string, SeriesData>();
  private windows = new Map<string, Window>();
  /** The time of each run's first value. */
  private readonly begun = new Map<string, number>();
  private plots = new Map<string, Plot>();
  private asked: XAxis | null = null;
  private frame = 0;
}
