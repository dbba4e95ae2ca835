import {
  heightFor,
  openingScale,
  READABLE,
  Viewport
} from '../src/dag/viewport';
import { s } from '../src/dom';

const WINDOW = { width: 432, height: 332 };

function opened(
  drawing: { width: number; height: number },
  anchor: { x: number; y: number } | null = null
): Viewport {
  const viewport = new Viewport(s('svg'));
  viewport.anchor = anchor;
  viewport.setSizes(drawing, WINDOW);
  return viewport;
}

describe('a graph opens', () => {
  it.each([
    [{ width: 100, height: 100 }, 1],
    [{ width: 440, height: 100 }, 400 / 440],
    [{ width: 400 / READABLE, height: 100 }, READABLE],
    [{ width: 4000, height: 100 }, 1],
    [{ width: 100, height: 4000 }, 1]
  ])('%j at a scale at which names can be read', (drawing, scale) => {
    expect(openingScale(drawing, WINDOW)).toBeCloseTo(scale);
  });

  it('in the middle if all of it fits', () => {
    const viewport = opened({ width: 200, height: 100 });
    expect([viewport.x, viewport.y]).toEqual([116, 116]);
    expect(viewport.showsAll).toBe(true);
  });

  it('around its anchor if it does not fit', () => {
    const { visible, showsAll } = opened(
      { width: 4000, height: 4000 },
      { x: 3000, y: 1000 }
    );
    expect(visible.x + visible.width / 2).toBe(3000);
    expect(visible.y + visible.height / 2).toBe(1000);
    expect(showsAll).toBe(false);
  });

  it('without empty space beside an anchor at its end', () => {
    const { visible } = opened(
      { width: 4000, height: 4000 },
      { x: 4000, y: 0 }
    );
    expect(visible.x + visible.width).toBe(4000 + 16);
    expect(visible.y).toBe(-16);
  });

  it('and keeps what is selected in sight when the window becomes smaller', () => {
    const viewport = opened({ width: 4000, height: 100 }, { x: 2000, y: 50 });
    const before = viewport.visible.x;
    const box = { x: 2180, y: 50, width: 60, height: 40 };
    viewport.setSizes({ width: 4000, height: 100 }, WINDOW, box);
    expect(viewport.visible.x).toBe(before);
    const narrow = { width: 300, height: 332 };
    viewport.setSizes({ width: 4000, height: 100 }, narrow, box);
    const { visible } = viewport;
    expect(visible.x + visible.width).toBe(2180 + 30 + 16);
    const whole = opened({ width: 200, height: 100 });
    whole.setSizes({ width: 200, height: 100 }, narrow, { ...box, x: 60 });
    expect(whole.showsAll).toBe(true);
  });

  it('in its whole height, up to that of the page', () => {
    expect(heightFor({ width: 100, height: 300 }, 432)).toBe(332);
    expect(heightFor({ width: 100, height: 10 }, 432)).toBe(180);
    expect(heightFor({ width: 100, height: 9000 }, 432)).toBe(
      Math.max(360, window.innerHeight - 240)
    );
  });
});

describe('a window that the reader has moved', () => {
  it('stays where it is when the graph changes', () => {
    const viewport = opened({ width: 4000, height: 4000 });
    viewport.pan(-100, -50);
    const { x, y } = viewport;
    viewport.setSizes({ width: 4200, height: 4000 }, WINDOW);
    expect([viewport.x, viewport.y]).toEqual([x, y]);
  });

  it('never loses the graph', () => {
    const viewport = opened({ width: 200, height: 100 });
    viewport.pan(-9999, 9999);
    expect([viewport.x, viewport.y]).toEqual([48 - 200, 332 - 48]);
  });

  it('shows everything again when asked to, however small', () => {
    const viewport = opened({ width: 4000, height: 4000 });
    expect(viewport.showsAll).toBe(false);
    viewport.fit();
    expect(viewport.showsAll).toBe(true);
    expect(viewport.scale).toBeCloseTo(300 / 4000);
  });
});
