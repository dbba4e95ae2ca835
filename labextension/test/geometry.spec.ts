import { read, sized } from '../src/dag/geometry';
import { graphviz } from '../src/dag/graphviz';
import { placeholder } from '../src/dag/placeholder';
import { DIAMOND, graph } from './samples';

const sizes = new Map(DIAMOND.nodes.map(({ id }) => [id, [160, 44] as const]));

describe('the input of Graphviz', () => {
  it('has the sizes of the cards on this page', async () => {
    const geometry = read(await graphviz(sized(DIAMOND.dot, sizes)), DIAMOND)!;
    for (const box of geometry.nodes.values()) {
      expect([Math.round(box.width), Math.round(box.height)]).toEqual([
        160, 44
      ]);
    }
  });

  it('flows from top to bottom', async () => {
    const { nodes } = read(await graphviz(sized(DIAMOND.dot, sizes)), DIAMOND)!;
    for (const { source, target } of DIAMOND.edges) {
      expect(nodes.get(target)!.y).toBeGreaterThan(nodes.get(source)!.y);
    }
  });

  it('is unchanged if it is not a graph', () => {
    expect(sized('nothing', sizes)).toBe('nothing');
  });
});

describe('the output of Graphviz', () => {
  it('is read as numbers, and anything else is ignored', () => {
    const pair = graph(['a', 'b'], [[0, 1]]);
    const answer = {
      bb: '0,0,100,100',
      objects: [
        { _gvid: 0, name: 'n0', pos: '50,80', width: '1', height: '.5' },
        { _gvid: 1, name: 'n1', pos: '50,20', width: '1', height: '.5' }
      ],
      edges: [
        {
          tail: 0,
          head: 1,
          pos: 'e,50,38 50,62 "><script>,1 50,50 50,45',
          lp: 'x,y'
        }
      ]
    };
    const geometry = read(JSON.stringify(answer), pair)!;
    const line = geometry.edges.get('e0');
    expect(JSON.stringify(line ?? null)).not.toContain('script');
  });

  it('is used only if it contains every step', () => {
    expect(read('{"bb": "0,0,1,1", "objects": []}', DIAMOND)).toBeNull();
  });
});

describe('the simple layout', () => {
  it('has no overlapping cards', () => {
    const { nodes } = placeholder(DIAMOND, sizes);
    const boxes = [...nodes.values()];
    for (const [n, a] of boxes.entries()) {
      for (const b of boxes.slice(n + 1)) {
        const apart = Math.abs(a.x - b.x) >= 160 || Math.abs(a.y - b.y) >= 44;
        expect(apart).toBe(true);
      }
    }
  });

  it('handles edges against the order, and empty pipelines', () => {
    const turned = graph(
      ['a', 'b'],
      [
        [1, 0],
        [0, 1],
        [0, 0]
      ]
    );
    expect(placeholder(turned, sizes).nodes.size).toBe(2);
    expect(placeholder(graph([], []), sizes).width).toBe(0);
  });
});
