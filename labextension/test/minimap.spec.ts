import type { Box } from '../src/dag/geometry';
import { Minimap } from '../src/dag/minimap';
import type { Scene } from '../src/dag/scene';
import { Viewport } from '../src/dag/viewport';
import { s } from '../src/dom';

const WINDOW = { width: 400, height: 300 };
const LARGE = { width: 3000, height: 1000 };
const BOXES = new Map<string, Box>([
  ['load', { x: 100, y: 50, width: 200, height: 44 }],
  ['fit', { x: 2900, y: 950, width: 200, height: 44 }]
]);

function made(drawing = LARGE): {
  map: Minimap;
  viewport: Viewport;
  capture: jest.Mock;
} {
  const viewport = new Viewport(s('svg'));
  const map = new Minimap(viewport);
  viewport.onChange = () => map.update();
  map.draw({ boxes: BOXES, cards: new Map() } as unknown as Scene, drawing);
  viewport.setSizes(drawing, WINDOW);
  document.body.append(map.node);
  const capture = jest.fn();
  map.node.setPointerCapture = capture;
  return { map, viewport, capture };
}

function numbers(element: Element): number[] {
  return ['x', 'y', 'width', 'height'].map(
    name => Math.round(10 * Number(element.getAttribute(name))) / 10
  );
}

function seen(map: Minimap): number[] {
  return numbers(map.node.querySelector('.kfnb-minimap-seen')!);
}

function point(map: Minimap, type: string, at: MouseEventInit): void {
  map.node.dispatchEvent(new MouseEvent(type, { cancelable: true, ...at }));
}

afterEach(() => document.body.replaceChildren());

describe('the minimap', () => {
  it('appears only while the window shows a part of the graph', () => {
    const { map, viewport } = made();
    expect(map.node.hasAttribute('hidden')).toBe(false);
    viewport.fit();
    expect(map.node.hasAttribute('hidden')).toBe(true);
    viewport.zoom(4);
    expect(map.node.hasAttribute('hidden')).toBe(false);
  });

  it('is hidden for a graph that fits into the window', () => {
    const { map } = made({ width: 300, height: 200 });
    expect(map.node.hasAttribute('hidden')).toBe(true);
  });

  it('is the whole graph at one scale, no larger than 150 by 100', () => {
    const { map } = made();
    expect(map.node.getAttribute('width')).toBe('150');
    expect(map.node.getAttribute('height')).toBe('50');
    const [load, fit] = map.node.querySelectorAll('g rect');
    expect(numbers(load!)).toEqual([0, 1.4, 10, 2.2]);
    expect(numbers(fit!)).toEqual([140, 46.4, 10, 2.2]);
  });

  it('shows the part of the graph that is in the window', () => {
    const { map, viewport } = made();
    viewport.centre(1500, 500);
    expect(seen(map)).toEqual([65, 17.5, 20, 15]);
    viewport.zoom(2);
    expect(seen(map)).toEqual([70, 21.3, 10, 7.5]);
    viewport.pan(-200, 0);
    expect(seen(map)).toEqual([75, 21.3, 10, 7.5]);
  });

  it('moves the window to where it is clicked, and on with the pressed pointer', () => {
    const { map, viewport, capture } = made();
    const middle = (): number[] => {
      const { x, y, width, height } = viewport.visible;
      return [x + width / 2, y + height / 2].map(Math.round);
    };
    jest
      .spyOn(map.node, 'getBoundingClientRect')
      .mockReturnValue({ left: 10, top: 20 } as DOMRect);
    point(map, 'pointerdown', { clientX: 10 + 100, clientY: 20 + 25 });
    expect(middle()).toEqual([2000, 500]);
    expect(capture).toHaveBeenCalled();
    point(map, 'pointermove', { clientX: 10 + 50, clientY: 45, buttons: 1 });
    expect(middle()).toEqual([1000, 500]);
    point(map, 'pointermove', { clientX: 10 + 10, clientY: 45, buttons: 0 });
    expect(middle()).toEqual([1000, 500]);
  });

  it('marks a step with its status', () => {
    const { map } = made();
    map.mark('fit', 'failed');
    map.mark('gone', 'failed');
    const statuses = [...map.node.querySelectorAll<SVGElement>('g rect')].map(
      rect => rect.dataset.status
    );
    expect(statuses).toEqual(['', 'failed']);
  });
});
