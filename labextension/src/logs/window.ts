/** The visible part of a log: only its lines are elements of the page. */

import { h } from '../dom';
import { Heights } from './heights';
import type { Lines } from './lines';
import { onAppear } from './on-appear';

/** Most pixels that browsers can scroll; in a longer log each pixel stands for several. */
const TALLEST = 15_000_000;
/** Lines that are drawn above and below the visible ones. */
const OVERSCAN = 12;
/** Most lines that stay in the page during a selection. */
const MOST_SELECTED = 5_000;
/** Sizes to assume before anything is measured. */
const ROW = 18;
const HEIGHT = 360;
const COLUMN = 7.2;
const PADDING = 24;

export class Window {
  readonly node: HTMLElement;
  onFollow: (following: boolean) => void = () => undefined;

  /**
   * @param draw - draws a line into its row.
   * @param shown - returns how many characters of a line of a given length are drawn.
   */
  constructor(
    private readonly lines: Lines,
    private readonly draw: (row: HTMLElement, line: number) => void,
    shown: (length: number) => number,
    label: string
  ) {
    this.heights = new Heights(lines, shown);
    this.node = h(
      'div',
      {
        class: 'kfnb-log-screen',
        role: 'log',
        // A screen reader must not read thousands of lines a second.
        'aria-live': 'off',
        'aria-label': label,
        tabindex: 0
      },
      this.probe,
      this.sizer
    );
    this.sizer.append(this.body);
    this.node.addEventListener('scroll', () => this.scrolled());
    this.node.addEventListener('pointerdown', event => this.pressed(event));
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(this.node);
    onAppear(this.node, () => this.resized());
    document.addEventListener('pointerup', this.released);
  }

  get following(): boolean {
    return this.follows;
  }

  set following(follows: boolean) {
    if (follows !== this.follows) {
      this.follows = follows;
      this.onFollow(follows);
    }
    if (follows) {
      this.render();
    }
  }

  set wrap(wrap: boolean) {
    const [top] = this.range();
    this.wraps = wrap;
    this.node.classList.toggle('kfnb-wrap', wrap);
    this.repaint();
    if (!this.follows) {
      this.show(top, false);
    }
  }

  /** The first visible line. */
  get top(): number {
    return this.range()[0];
  }

  /** Updates the window after lines were added, changed or removed. */
  render(): void {
    this.measure();
    const { lines, heights } = this;
    if (lines.first !== this.first) {
      // The visible lines stay where they are.
      const gone = (lines.first - this.first) * (this.wraps ? 0 : this.row);
      this.first = lines.first;
      this.moveTo(Math.max(0, this.virtual - gone));
    }
    const tall = heights.total * this.row;
    this.ratio(tall);
    if (this.follows) {
      this.moveTo(Infinity);
    }
    const view = this.view;
    const from = Math.floor(this.virtual / this.row);
    const to = Math.ceil((this.virtual + view) / this.row);
    let low = Math.max(lines.first, heights.lineAt(from) - OVERSCAN);
    let high = Math.min(lines.end, heights.lineAt(to) + 1 + OVERSCAN);
    if (this.selecting && this.rows.size) {
      const known = [...this.rows.keys()];
      const [least, most] = [Math.min(...known), Math.max(...known) + 1];
      if (Math.max(high, most) - Math.min(low, least) <= MOST_SELECTED) {
        low = Math.max(lines.first, Math.min(low, least));
        high = Math.min(lines.end, Math.max(high, most));
      }
    }
    this.fill(low, high);
    this.position(low, high, tall);
  }

  /** Draws all visible lines again. */
  repaint(): void {
    this.rows.clear();
    this.body.replaceChildren();
    this.render();
  }

  /** Scrolls to a line if it is not visible, and stops following the log. */
  show(line: number, near = true): void {
    const { heights, row } = this;
    const [top, bottom] = [heights.before(line), heights.before(line + 1)];
    const seen =
      top * row >= this.virtual && bottom * row <= this.virtual + this.view;
    const all = heights.total * row <= this.view;
    if (!all) {
      this.following = false;
    }
    if (!seen || !near) {
      this.moveTo(near ? top * row - this.view / 3 : top * row);
    }
    this.render();
  }

  /** Scrolls until an element of a row is visible, also sideways. */
  reveal(element: Element): void {
    const [own, area] = [element, this.node].map(one =>
      one.getBoundingClientRect()
    );
    if (!own || !area) {
      return;
    }
    if (own.left < area.left || own.right > area.right - PADDING) {
      this.node.scrollLeft += own.left - area.left - area.width / 3;
    }
    if (own.top < area.top || own.bottom > area.bottom) {
      this.node.scrollTop += own.top - area.top - area.height / 3;
      this.scrolled();
    }
  }

  /** Returns the row of a line, if it is in the page. */
  rowOf(line: number): HTMLElement | null {
    return this.rows.get(line)?.element ?? null;
  }

  dispose(): void {
    this.observer.disconnect();
    document.removeEventListener('pointerup', this.released);
  }

  private range(): [first: number] {
    return [this.heights.lineAt(Math.ceil(this.virtual / this.row))];
  }

  private fill(low: number, high: number): void {
    for (const [line, { element }] of this.rows) {
      if (line < low || line >= high) {
        element.remove();
        this.rows.delete(line);
      }
    }
    let next = this.body.firstElementChild;
    for (let line = low; line < high; line += 1) {
      const content = this.lines.at(line);
      let known = this.rows.get(line);
      if (!known) {
        const element = h('div', { class: 'kfnb-log-line', dir: 'auto' });
        this.body.insertBefore(element, next);
        known = { element, content: null };
        this.rows.set(line, known);
      } else {
        next = known.element.nextElementSibling;
      }
      if (known.content !== content) {
        known.content = content;
        this.draw(known.element, line);
      }
    }
  }

  private position(low: number, high: number, tall: number): void {
    const { style } = this.body;
    const over = this.height - this.view;
    // The height of wrapped lines is an estimate, so the end is measured at the last line.
    const end = high === this.lines.end && this.scroll >= over - 1 && over > 0;
    style.top = end
      ? 'auto'
      : `${this.scroll + this.heights.before(low) * this.row - this.virtual}px`;
    style.bottom = end ? '0' : 'auto';
    this.sizer.style.height = `${Math.min(tall, TALLEST)}px`;
    if (this.visible && this.node.scrollTop !== this.scroll) {
      this.node.scrollTop = this.scroll;
      // Browsers round the value, and limit it to what can be scrolled.
      this.scroll = this.follows ? this.node.scrollTop : this.scroll;
    }
  }

  /** Sets the first visible pixel of the content; `place` scrolls the element. */
  private moveTo(virtual: number): void {
    const tall = this.heights.total * this.row;
    this.ratio(tall);
    this.virtual = Math.max(0, Math.min(virtual, tall - this.view));
    this.scroll = this.virtual / this.scale;
  }

  private ratio(tall: number): void {
    this.height = Math.min(tall, TALLEST);
    const over = this.height - this.view;
    this.scale = over > 0 ? (tall - this.view) / over : 1;
  }

  private scrolled(): void {
    if (!this.node.clientHeight) {
      return; // hidden, where browsers reset the scrolling
    }
    const { scrollTop } = this.node;
    if (Math.abs(scrollTop - this.scroll) < 1) {
      return;
    }
    const up = scrollTop < this.scroll;
    this.scroll = scrollTop;
    this.virtual = scrollTop * this.scale;
    const atEnd = scrollTop >= this.height - this.view - 2;
    if (atEnd && !up) {
      this.following = true;
    } else if (up && !atEnd) {
      this.following = false;
    }
    this.render();
  }

  /** Handles a new size, and appearing again after it was hidden or moved. */
  private resized(): void {
    if (this.node.clientHeight) {
      this.render();
    }
  }

  private measure(): void {
    const { width, height } = this.probe.getBoundingClientRect();
    this.visible = this.node.clientHeight > 0;
    this.view = this.node.clientHeight || this.view;
    if (height > 0) {
      this.row = height;
      this.column = width / PROBE.length;
    }
    const wide = (this.node.clientWidth || this.wide) - PADDING;
    this.wide = wide + PADDING;
    this.heights.columns = this.wraps
      ? Math.max(10, Math.floor(wide / this.column))
      : null;
  }

  private pressed(event: PointerEvent): void {
    // A press on the scrollbar selects nothing.
    this.selecting = event.button === 0 && event.target !== this.node;
    if (this.selecting) {
      this.followed = this.follows;
      this.follows = false;
    }
  }

  private readonly released = (): void => {
    if (!this.selecting) {
      return;
    }
    const root = this.node.getRootNode() as { getSelection?(): unknown };
    const selection = root.getSelection?.call(root) ?? document.getSelection();
    const empty = (selection as Selection | null)?.isCollapsed ?? true;
    this.selecting = !empty;
    this.follows = this.followed;
    this.following = this.followed && empty;
  };

  private readonly heights: Heights;
  private readonly observer: ResizeObserver;
  private readonly probe = h(
    'span',
    { class: 'kfnb-log-probe', 'aria-hidden': 'true' },
    PROBE
  );
  private readonly sizer = h('div', { class: 'kfnb-log-sizer' });
  private readonly body = h('div', { class: 'kfnb-log-body' });
  private readonly rows = new Map<
    number,
    { readonly element: HTMLElement; content: unknown }
  >();
  private follows = true;
  private followed = true;
  private wraps = false;
  private selecting = false;
  private visible = false;
  private first = 0;
  private row = ROW;
  private column = COLUMN;
  private view = HEIGHT;
  private wide = 800;
  /** Scroll position of the element, and the corresponding one in the content. */
  private scroll = 0;
  private virtual = 0;
  private height = 0;
  private scale = 1;
}

const PROBE = 'm'.repeat(64);
