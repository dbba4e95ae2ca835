/** The pipeline as a graph that can be panned and zoomed; statuses change without a new layout. */

import type { Component, Context } from '../context';
import { fill, focusedNear, h, s } from '../dom';
import type { Graph, StepStates } from '../protocol';
import { directionFor, type Direction } from './direction';
import { read, sized, type Box, type Geometry } from './geometry';
import type { Layouter } from './layouter';
import { Minimap } from './minimap';
import { placeholder } from './placeholder';
import { Reasons } from './reasons';
import { Scene } from './scene';
import { heightFor, largestHeight, Viewport } from './viewport';
import { zoomButtons } from './zoom-buttons';
import { ArrowKeys } from './arrow-keys';

export type { Layouter } from './layouter';

/** Milliseconds to wait for Graphviz before the simple layout is shown. */
const PATIENCE = 250;

export class DagView implements Component {
  readonly node: HTMLElement;
  /** Called when a step was selected; with null when none is. */
  onSelect: (id: string | null) => void = () => undefined;
  /** Called when a step was opened, by a double click or Enter on the selected one. */
  onOpen: (id: string) => void = () => undefined;

  /** Called when the user changed the height. */
  onHeight: (height: number) => void = () => undefined;

  /**
   * @param height - the height that the user chose before; null for the height of the graph.
   * @param layouter - Graphviz; null to keep the simple layout.
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
      this.minimap.node,
      zoomButtons(context, this.view)
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

  /** Draws a pipeline; the previous drawing stays until the new one has a layout. */
  setGraph(graph: Graph, states: StepStates = {}): void {
    const style = getComputedStyle(this.node);
    const family = style.fontFamily || 'sans-serif';
    const fonts = { name: `500 13px ${family}`, note: `11px ${family}` };
    const scene = new Scene(graph, this.context, fonts, this.scene);
    this.states = new Map(Object.entries(states));
    scene.update(states);
    this.next = scene;
    if (!this.layouter) {
      setTimeout(() => this.placeSimply(scene));
    } else if (!this.layingOut) {
      void this.layOut(scene, this.layouter);
    }
    if (this.layouter && !this.scene) {
      setTimeout(() => this.placeSimply(this.next), PATIENCE);
    }
  }

  /** Lets Graphviz lay out a scene, and then the newest one if it was replaced meanwhile. */
  private async layOut(scene: Scene, layouter: Layouter): Promise<void> {
    this.layingOut = true;
    const { graph, sizes } = scene;
    const window = { width: this.node.clientWidth, height: largestHeight() };
    const direction = directionFor(graph, sizes, window);
    try {
      const json = await layouter.layout(sized(graph.dot, sizes, direction));
      const geometry = read(json, graph);
      const current = this.next === scene || this.scene === scene;
      if (geometry && current) {
        this.direction = direction;
        this.applyLayout(scene, geometry, 'graphviz');
      }
    } catch (error) {
      console.warn('kfnb: Graphviz failed; a simple layout is shown', error);
      this.placeSimply(scene);
    }
    this.layingOut = false;
    if (this.next && this.next !== scene) {
      await this.layOut(this.next, layouter);
    }
  }

  private placeSimply(scene: Scene | null): void {
    if (scene && this.next === scene) {
      const geometry = placeholder(scene.graph, scene.sizes);
      this.direction = 'TB';
      this.applyLayout(scene, geometry, 'placeholder');
    }
  }

  /** Shows the states of some or all steps, without a new layout. */
  setStates(states: StepStates): void {
    for (const [id, state] of Object.entries(states)) {
      this.states.set(id, state);
    }
    this.scene?.update(states);
    if (this.next !== this.scene) {
      this.next?.update(states);
    }
    for (const [id, { status }] of Object.entries(states)) {
      this.minimap.mark(id, status);
    }
  }

  /** Marks a step as selected; null marks none. */
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
      this.makeReachable(id);
    }
  }

  dispose(): void {
    this.observer.disconnect();
    clearTimeout(this.heightTimer);
    this.next = null;
    this.scene = null;
    this.node.remove();
  }

  private applyLayout(
    scene: Scene,
    geometry: Geometry,
    layout: 'placeholder' | 'graphviz'
  ): void {
    const focused = this.scene?.nodes.contains(focusedNear(this.node))
      ? this.current
      : null;
    scene.applyLayout(geometry);
    if (this.scene !== scene) {
      if (this.scene?.nodes !== scene.nodes) {
        fill(this.ground, scene.nodes, this.reasons.lines);
      }
      this.scene = scene;
      fill(this.lines, scene.edges);
    }
    this.reasons.set(scene);
    if (this.next === scene) {
      this.next = null;
    }
    this.arrowKeys = new ArrowKeys(
      scene.boxes,
      scene.graph.edges,
      this.direction
    );
    this.geometry = geometry;
    this.minimap.draw(scene, geometry);
    this.view.anchor = this.anchor(scene);
    this.node.dataset.layout = layout;
    this.canvas.setAttribute('data-steps', String(scene.cards.size));
    this.resized();
    const first = this.arrowKeys.reading[0];
    if (this.selected !== null && scene.cards.has(this.selected)) {
      this.select(this.selected);
    } else if (first !== undefined) {
      this.makeReachable(
        this.current !== null && scene.cards.has(this.current)
          ? this.current
          : first
      );
    }
    if (focused !== null && focusedNear(this.node) !== this.card(focused)) {
      this.card(focused)?.focus();
    }
  }

  /** The step around which a large graph opens: selected, failed, running, or the first. */
  private anchor(scene: Scene): Box | null {
    const states = [...this.states];
    const having = (status: string): string | undefined =>
      states.find(([, state]) => state.status === status)?.[0];
    const id =
      this.selected ??
      having('failed') ??
      having('running') ??
      scene.graph.nodes[0]?.id;
    return id === undefined ? null : (scene.boxes.get(id) ?? null);
  }

  private resized(): void {
    if (!this.geometry || !this.node.clientWidth) {
      return; // in a hidden tab
    }
    // The user can drag the corner, which sets the height in the style.
    if (this.node.style.height) {
      clearTimeout(this.heightTimer);
      this.heightTimer = setTimeout(
        () => this.onHeight(this.node.clientHeight),
        500
      );
    } else {
      const height = heightFor(this.geometry, this.node.clientWidth);
      this.node.style.setProperty('--kfnb-dag-height', `${height}px`);
    }
    const { clientWidth, clientHeight } = this.node;
    const window = { width: clientWidth, height: clientHeight };
    const seen = this.scene?.boxes.get(this.selected ?? '') ?? null;
    this.view.setSizes(this.geometry, window, seen);
  }

  private show(): void {
    if (this.pending) {
      return;
    }
    this.pending = true;
    this.node.toggleAttribute('data-moving', true);
    requestAnimationFrame(() => {
      this.pending = false;
      for (const layer of [this.ground, this.lines]) {
        layer.setAttribute('transform', this.view.transform);
      }
      const detail = this.scene?.zoomTo(this.view.scale) ?? 'all';
      if (this.node.dataset.detail !== detail) {
        this.node.dataset.detail = detail;
      }
      this.minimap.update();
      this.node.toggleAttribute('data-moving', false);
    });
  }

  private listen(): void {
    const { canvas, view } = this;
    canvas.addEventListener('pointerdown', event => view.follow(event));
    this.node.addEventListener('wheel', event => view.zoomByWheel(event), {
      passive: false
    });
    canvas.addEventListener('dblclick', event => {
      const id = this.idAt(event.target);
      if (id !== null) {
        this.onOpen(id);
      }
    });
    canvas.addEventListener('click', event => {
      if (!view.dragged) {
        this.choose(this.idAt(event.target));
      }
    });
    canvas.addEventListener('pointerover', event => {
      this.scene?.emphasise(this.idAt(event.target) ?? this.selected);
    });
    canvas.addEventListener('pointerleave', () =>
      this.scene?.emphasise(this.selected)
    );
    canvas.addEventListener('focusin', event => {
      this.makeReachable(this.idAt(event.target) ?? this.current);
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

  /** Handles a key; returns false if it has no meaning here. */
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
          id === null ? null : (this.arrowKeys?.from(id, event.key) ?? null);
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
    this.makeReachable(id);
    this.card(id)?.focus({ preventScroll: true });
  }

  /** Makes one step reachable by Tab; arrow keys lead to the others. */
  private makeReachable(id: string | null): void {
    if (id === null) {
      return;
    }
    if (this.current !== null) {
      this.card(this.current)?.setAttribute('tabindex', '-1');
    }
    this.current = id;
    this.card(id)?.setAttribute('tabindex', '0');
    this.reasons.makeReachable(id);
  }

  private card(id: string): SVGGElement | null {
    return this.scene?.cards.get(id)?.element ?? null;
  }

  private idAt(target: EventTarget | null): string | null {
    const element =
      target instanceof Element ? target.closest('.kfnb-node') : null;
    return element?.getAttribute('data-id') ?? null;
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
  private readonly minimap = new Minimap(this.view);
  private readonly observer = new ResizeObserver(() => this.resized());
  private scene: Scene | null = null;
  private next: Scene | null = null;
  private arrowKeys: ArrowKeys | null = null;
  private geometry: Geometry | null = null;
  private states = new Map<string, StepStates[string]>();
  private direction: Direction = 'TB';
  private layingOut = false;
  private selected: string | null = null;
  private current: string | null = null;
  private pending = false;
  private heightTimer: ReturnType<typeof setTimeout> | undefined;
}
