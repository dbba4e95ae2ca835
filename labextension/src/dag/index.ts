/** The pipeline as a drawing: pan, zoom, keyboard, statuses that change without a new layout. */

import type { Component, Context } from '../context';
import { fill, focusedNear, h, s } from '../dom';
import type { Graph, StepStates } from '../protocol';
import { read, sized, type Geometry } from './geometry';
import type { Layouter } from './layouter';
import { placeholder } from './placeholder';
import { Reasons } from './reasons';
import { Scene } from './scene';
import { heightFor, Viewport } from './viewport';
import { Walk } from './walk';

export type { Layouter } from './layouter';

/** A layout that comes sooner is worth waiting for; a blank page is not. */
const PATIENCE = 250;
const WHEEL_ZOOM = 0.0022;

export class DagView implements Component {
  readonly node: HTMLElement;
  /** A step was chosen; null: none is any more. */
  onSelect: (id: string | null) => void = () => undefined;
  /** A step was opened: double click, Enter on the chosen one. */
  onOpen: (id: string) => void = () => undefined;

  /** The reader made the drawing higher or lower. */
  onHeight: (height: number) => void = () => undefined;

  /**
   * @param height - as the reader chose it before; null: what the drawing needs.
   * @param layouter - Graphviz; without one the drawing keeps the simple layout.
   */
  constructor(
    host: HTMLElement,
    private readonly context: Context,
    private readonly layouter: Layouter | null,
    height: number | null = null
  ) {
    this.node = h(
      'div',
      { class: 'kfnb-dag', 'data-layout': 'pending' },
      this.below,
      this.canvas,
      this.tools()
    );
    this.reasons = new Reasons(this.node, context);
    this.node.append(this.reasons.tip);
    this.below.append(this.lines);
    this.canvas.append(this.ground);
    this.canvas.setAttribute(
      'aria-label',
      context.trans('Graph of the pipeline')
    );
    this.view.onChange = () => this.show();
    if (height !== null) {
      this.node.style.height = `${height}px`;
    }
    this.listen();
    host.append(this.node);
    this.observer.observe(this.node);
  }

  /** Draws a pipeline; the drawing before stays until the new one has a layout. */
  setGraph(graph: Graph, states: StepStates = {}): void {
    const style = getComputedStyle(this.node);
    const family = style.fontFamily || 'sans-serif';
    const fonts = { name: `500 13px ${family}`, note: `11px ${family}` };
    const scene = new Scene(graph, this.context, fonts);
    this.states = { ...states };
    scene.update(this.states);
    this.next = scene;
    const late = setTimeout(
      () => {
        if (this.next === scene) {
          this.place(scene, placeholder(graph, scene.sizes), 'placeholder');
        }
      },
      this.layouter && !this.scene ? PATIENCE : 0
    );
    if (!this.layouter) {
      return;
    }
    this.layouter.layout(sized(graph.dot, scene.sizes)).then(
      json => {
        const geometry = read(json, graph);
        if (geometry && (this.next === scene || this.scene === scene)) {
          clearTimeout(late);
          this.place(scene, geometry, 'graphviz');
        }
      },
      (error: unknown) => {
        // The simple layout stays.
        console.warn('kfnb:', error);
      }
    );
  }

  /** Shows the states of some steps, or of all; no new layout. */
  setStates(states: StepStates): void {
    Object.assign(this.states, states);
    this.scene?.update(states);
    if (this.next !== this.scene) {
      this.next?.update(states);
    }
  }

  /** Marks a step as chosen. */
  select(id: string | null): void {
    const mark = (step: string | null, on: boolean): void => {
      const element = step === null ? null : this.card(step);
      element?.classList.toggle('kfnb-selected', on);
      element?.setAttribute('aria-pressed', String(on));
    };
    mark(this.selected, false);
    this.selected = id;
    mark(id, true);
    this.scene?.emphasise(id);
    if (id !== null) {
      this.rove(id);
    }
  }

  dispose(): void {
    this.observer.disconnect();
    clearTimeout(this.telling);
    this.next = null;
    this.scene = null;
    this.node.remove();
  }

  private place(
    scene: Scene,
    geometry: Geometry,
    layout: 'placeholder' | 'graphviz'
  ): void {
    const focused = this.scene?.nodes.contains(focusedNear(this.node))
      ? this.current
      : null;
    scene.place(geometry);
    if (this.scene !== scene) {
      this.scene = scene;
      fill(this.ground, scene.nodes, this.reasons.lines);
      fill(this.lines, scene.edges);
    }
    this.reasons.set(scene);
    this.next = null;
    this.walk = new Walk(scene.boxes, scene.graph.edges);
    this.geometry = geometry;
    this.node.dataset.layout = layout;
    this.canvas.setAttribute('data-steps', String(scene.cards.size));
    this.resized();
    const first = this.walk.reading[0];
    if (this.selected !== null && scene.cards.has(this.selected)) {
      this.select(this.selected);
    } else if (first !== undefined) {
      this.rove(
        this.current !== null && scene.cards.has(this.current)
          ? this.current
          : first
      );
    }
    if (focused !== null) {
      this.card(focused)?.focus();
    }
  }

  private resized(): void {
    if (!this.geometry || !this.node.clientWidth) {
      return; // in a tab that is not seen
    }
    // Dragged by its corner, the element has a height of its own.
    if (this.node.style.height) {
      clearTimeout(this.telling);
      this.telling = setTimeout(
        () => this.onHeight(this.node.clientHeight),
        500
      );
    } else {
      const height = heightFor(this.geometry, this.node.clientWidth);
      this.node.style.setProperty('--kfnb-dag-height', `${height}px`);
    }
    const { clientWidth, clientHeight } = this.node;
    this.view.setSizes(this.geometry, {
      width: clientWidth,
      height: clientHeight
    });
  }

  private show(): void {
    if (this.pending) {
      return;
    }
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      for (const layer of [this.ground, this.lines]) {
        layer.setAttribute('transform', this.view.transform);
      }
      this.detail();
    });
  }

  /** What can be read at this size is drawn, and nothing else. */
  private detail(): void {
    const { scale } = this.view;
    const detail = scale > 0.55 ? 'all' : scale > 0.3 ? 'names' : 'shapes';
    if (this.node.dataset.detail !== detail) {
      this.node.dataset.detail = detail;
    }
    this.scene?.detail(detail === 'shapes');
  }

  private listen(): void {
    const { canvas, view } = this;
    canvas.addEventListener('pointerdown', event => view.follow(event));
    canvas.addEventListener(
      'wheel',
      event => {
        // A wheel alone scrolls the notebook, as everywhere on the page.
        if (event.ctrlKey || event.metaKey) {
          event.preventDefault();
          const { left, top } = canvas.getBoundingClientRect();
          const factor = Math.exp(
            -Math.max(-100, Math.min(100, event.deltaY)) * WHEEL_ZOOM
          );
          view.zoom(factor, event.clientX - left, event.clientY - top);
        }
      },
      { passive: false }
    );
    canvas.addEventListener('click', event => {
      if (!view.dragged) {
        this.choose(this.idAt(event.target));
      }
    });
    canvas.addEventListener('dblclick', event => {
      const id = this.idAt(event.target);
      if (id !== null) {
        this.onOpen(id);
      }
    });
    canvas.addEventListener('pointerover', event => {
      this.scene?.emphasise(this.idAt(event.target) ?? this.selected);
    });
    canvas.addEventListener('pointerleave', () =>
      this.scene?.emphasise(this.selected)
    );
    canvas.addEventListener('focusin', event => {
      const id = this.idAt(event.target);
      if (id !== null) {
        this.rove(id);
      }
    });
    this.node.addEventListener('keydown', event => {
      if (
        !event.ctrlKey &&
        !event.metaKey &&
        !event.altKey &&
        this.key(event)
      ) {
        event.preventDefault();
        event.stopPropagation();
      }
    });
  }

  /** Acts on a key; false where it means nothing here. */
  private key(event: KeyboardEvent): boolean {
    const id = this.idAt(event.target);
    switch (event.key) {
      case '+':
      case '=':
        this.view.zoomIn();
        return true;
      case '-':
        this.view.zoomOut();
        return true;
      case '0':
        this.view.fit();
        return true;
      case 'Escape':
        if (this.selected === null) {
          return false;
        }
        this.choose(null);
        return true;
      case 'Enter':
      case ' ':
        if (id === null) {
          return false;
        }
        if (id === this.selected && event.key === 'Enter') {
          this.onOpen(id);
        } else {
          this.choose(id);
        }
        return true;
      default: {
        const next =
          id === null ? null : (this.walk?.from(id, event.key) ?? null);
        if (next !== null) {
          this.goto(next);
        }
        return id !== null && /^(Arrow|Home$|End$)/.test(event.key);
      }
    }
  }

  private choose(id: string | null): void {
    if (id !== this.selected) {
      this.select(id);
      this.onSelect(id);
    }
  }

  private goto(id: string): void {
    const box = this.scene?.boxes.get(id);
    if (box) {
      this.view.reveal(box);
    }
    this.rove(id);
    this.card(id)?.focus({ preventScroll: true });
  }

  /** One step at a time can be reached by Tab; the arrows go on from it. */
  private rove(id: string): void {
    if (this.current !== null) {
      this.card(this.current)?.setAttribute('tabindex', '-1');
    }
    this.current = id;
    this.card(id)?.setAttribute('tabindex', '0');
    this.reasons.rove(id);
  }

  private card(id: string): SVGGElement | null {
    return this.scene?.cards.get(id)?.element ?? null;
  }

  private idAt(target: EventTarget | null): string | null {
    const element =
      target instanceof Element ? target.closest('.kfnb-node') : null;
    return element?.getAttribute('data-id') ?? null;
  }

  private tools(): HTMLElement {
    const { trans } = this.context;
    const button = (label: string, d: string, act: () => void): HTMLElement => {
      const made = h(
        'button',
        {
          class: 'kfnb-tool',
          type: 'button',
          title: trans(label),
          'aria-label': trans(label)
        },
        s(
          'svg',
          { viewBox: '0 0 16 16', 'aria-hidden': 'true' },
          s('path', { d })
        )
      );
      made.addEventListener('click', act);
      return made;
    };
    return h(
      'div',
      { class: 'kfnb-tools', role: 'group', 'aria-label': trans('Zoom') },
      button('Zoom in (+)', 'M3 8h10M8 3v10', () => this.view.zoomIn()),
      button('Zoom out (-)', 'M3 8h10', () => this.view.zoomOut()),
      button('Fit (0)', 'M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3', () =>
        this.view.fit()
      )
    );
  }

  private readonly canvas = s('svg', { class: 'kfnb-canvas', role: 'group' });
  private readonly below = s('svg', {
    class: 'kfnb-canvas',
    'aria-hidden': 'true'
  });
  private readonly ground = s('g');
  private readonly lines = s('g');
  private readonly reasons: Reasons;
  private readonly view = new Viewport(this.canvas);
  private readonly observer = new ResizeObserver(() => this.resized());
  private scene: Scene | null = null;
  private next: Scene | null = null;
  private walk: Walk | null = null;
  private geometry: Geometry | null = null;
  private states: Record<string, StepStates[string]> = {};
  private selected: string | null = null;
  private current: string | null = null;
  private pending = false;
  private telling: ReturnType<typeof setTimeout> | undefined;
}
