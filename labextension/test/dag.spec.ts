import { DagView, type Layouter } from '../src/dag';
import { graphviz } from '../src/dag/graphviz';
import { visible } from '../src/format';
import {
  DIAMOND,
  expectInert,
  graph,
  HOSTILE,
  location,
  page,
  state
} from './samples';

const settled = (): Promise<void> =>
  new Promise(resolve => setTimeout(resolve, 20));

class Counting implements Layouter {
  asked = 0;

  async layout(dot: string): Promise<string> {
    this.asked += 1;
    return graphviz(dot);
  }
}

async function drawn(
  pipeline = DIAMOND
): Promise<{ dag: DagView; layouter: Counting }> {
  await graphviz('digraph {}'); // is loaded
  const layouter = new Counting();
  const dag = new DagView(document.body, page().context, layouter);
  dag.setGraph(pipeline);
  await settled();
  expect(dag.node.dataset.layout).toBe('graphviz');
  return { dag, layouter };
}

function card(dag: DagView, id: string): SVGGElement {
  return dag.node.querySelector<SVGGElement>(`.kfnb-node[data-id="${id}"]`)!;
}

function press(element: Element, key: string): boolean {
  return element.dispatchEvent(
    new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })
  );
}

afterEach(() => document.body.replaceChildren());

describe('the graph', () => {
  it('draws every step by name and every edge, laid out by Graphviz', async () => {
    const { dag } = await drawn();
    const names = [...dag.node.querySelectorAll('.kfnb-node-name')].map(
      text => text.textContent
    );
    expect(names).toEqual(['load', 'split', 'fit', 'check', 'report']);
    const edges = [...dag.node.querySelectorAll('.kfnb-edge')];
    expect(edges.map(edge => edge.getAttribute('data-id'))).toEqual([
      'e0',
      'e1',
      'e2',
      'e3',
      'e4'
    ]);
    for (const edge of edges) {
      expect(edge.querySelector('.kfnb-edge-line')?.getAttribute('d')).toMatch(
        /^M[-\d. ]+C/
      );
    }
  });

  it('shows the reason for each edge', async () => {
    const { dag } = await drawn();
    const reasons = [...dag.node.querySelectorAll('.kfnb-edge-label')].map(
      one => one.textContent
    );
    expect(reasons).toEqual(['x0', 'x1', 'x1', 'x2', 'x3']);
  });

  it('restyles a step when its status changes, without a new layout', async () => {
    const { dag, layouter } = await drawn();
    const before = card(dag, 'n2');
    const place = before.querySelector('rect')?.getAttribute('x');
    dag.setStates({ n2: state('running', { cells_done: 1, cells_total: 4 }) });
    dag.setStates({ n2: state('failed') });
    expect(layouter.asked).toBe(1);
    expect(card(dag, 'n2')).toBe(before);
    expect(before.dataset.status).toBe('failed');
    expect(before.querySelector('rect')?.getAttribute('x')).toBe(place);
    expect(card(dag, 'n1').dataset.status).toBe('');
  });

  it('shows a status by a word and a shape, not only by colour', async () => {
    const { dag } = await drawn();
    const shapes = new Set<string>();
    const statuses = [
      'pending',
      'running',
      'succeeded',
      'cached',
      'failed',
      'skipped',
      'cancelled'
    ] as const;
    for (const status of statuses) {
      dag.setStates({ n0: state(status) });
      const element = card(dag, 'n0');
      expect(element.getAttribute('aria-label')?.toLowerCase()).toContain(
        status
      );
      expect(
        element.querySelector('.kfnb-node-note')?.textContent?.toLowerCase()
      ).toContain(status);
      const parts = [...element.querySelectorAll('.kfnb-node-shape > *')];
      shapes.add(
        parts
          .map(
            part =>
              `${part.getAttribute('class') ?? ''} ${part.getAttribute('d') ?? ''}`
          )
          .join()
      );
    }
    expect(shapes.size).toBe(statuses.length);
  });

  it('shows the progress of a running step and the location of a failure', async () => {
    const { dag } = await drawn();
    dag.setStates({ n0: state('running', { cells_done: 3, cells_total: 7 }) });
    expect(card(dag, 'n0').textContent).toContain('3/7');
    const error = {
      ename: 'ValueError',
      evalue: 'no',
      location: location(5, { line: 2 }),
      summary: 'ValueError: no',
      remedy: null,
      class: null
    };
    dag.setStates({ n0: state('failed', { error }) });
    expect(card(dag, 'n0').textContent).toContain('[15] line 2');
  });

  it('keeps the drawing and the statuses when an edge is found at run time', async () => {
    const { dag } = await drawn();
    dag.setStates({ n0: state('succeeded') });
    const found = {
      ...DIAMOND.edges[0]!,
      id: 'e5',
      source: 'n0',
      target: 'n4',
      found: true
    };
    dag.setGraph(
      { ...DIAMOND, edges: [...DIAMOND.edges, found] },
      { n0: state('succeeded') }
    );
    expect(card(dag, 'n4')).not.toBeNull();
    await settled();
    expect(
      dag.node.querySelector('[data-id="e5"]')?.getAttribute('data-kind')
    ).toBe('found');
    expect(dag.node.querySelector('[data-id="e5"] path')).not.toBeNull();
    expect(card(dag, 'n0').dataset.status).toBe('succeeded');
  });

  it('draws a simple layout if Graphviz is not available', async () => {
    jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    const dag = new DagView(document.body, page().context, {
      layout: () => Promise.reject(new Error('no WebAssembly here'))
    });
    dag.setGraph(DIAMOND);
    await new Promise(resolve => setTimeout(resolve, 300));
    expect(dag.node.dataset.layout).toBe('placeholder');
    expect(dag.node.querySelectorAll('.kfnb-node')).toHaveLength(5);
    expect(dag.node.querySelectorAll('.kfnb-edge-line')).toHaveLength(5);
  });
});

describe('the keyboard', () => {
  it('moves along the edges and between neighbours', async () => {
    const { dag } = await drawn();
    const at = (): string | null =>
      document.activeElement?.getAttribute('data-id') ?? null;
    card(dag, 'n0').focus();
    press(card(dag, 'n0'), 'ArrowDown');
    expect(at()).toBe('n1');
    press(document.activeElement!, 'ArrowDown');
    const middle = at();
    expect(['n2', 'n3']).toContain(middle);
    const sideways =
      middle === 'n2'
        ? ['ArrowRight', 'ArrowLeft']
        : ['ArrowLeft', 'ArrowRight'];
    press(document.activeElement!, sideways[0]!);
    press(document.activeElement!, sideways[0]!);
    expect(at()).toBe(middle === 'n2' ? 'n3' : 'n2');
    press(document.activeElement!, 'ArrowDown');
    expect(at()).toBe('n4');
    press(document.activeElement!, 'Home');
    expect(at()).toBe('n0');
    press(document.activeElement!, 'ArrowUp');
    expect(at()).toBe('n0');
  });

  it('reaches the graph with one Tab, because only one step is in the tab order', async () => {
    const { dag } = await drawn();
    expect(dag.node.querySelectorAll('.kfnb-node[tabindex="0"]')).toHaveLength(
      1
    );
    card(dag, 'n3').dispatchEvent(new FocusEvent('focusin', { bubbles: true }));
    const inOrder = [...dag.node.querySelectorAll('.kfnb-node[tabindex="0"]')];
    expect(inOrder).toEqual([card(dag, 'n3')]);
  });

  it('selects with Enter, opens with Enter again, deselects with Escape', async () => {
    const { dag } = await drawn();
    const chosen: (string | null)[] = [];
    const opened: string[] = [];
    dag.onSelect = id => chosen.push(id);
    dag.onOpen = id => opened.push(id);
    press(card(dag, 'n1'), 'Enter');
    expect(card(dag, 'n1').getAttribute('aria-pressed')).toBe('true');
    press(card(dag, 'n1'), 'Enter');
    press(card(dag, 'n1'), 'Escape');
    expect(chosen).toEqual(['n1', null]);
    expect(opened).toEqual(['n1']);
  });

  it('ignores other keys', async () => {
    const { dag } = await drawn();
    expect(press(card(dag, 'n1'), 'a')).toBe(true);
    expect(press(card(dag, 'n1'), 'ArrowDown')).toBe(false);
  });
});

describe('hostile names', () => {
  it('are shown as text, with escapes where needed', async () => {
    const pipeline = graph(
      HOSTILE,
      HOSTILE.slice(1).map((_, n) => [n, n + 1] as const)
    );
    const evil = {
      ...pipeline,
      edges: pipeline.edges.map((edge, n) => ({
        ...edge,
        why: HOSTILE[n] ?? ''
      }))
    };
    const { dag } = await drawn(evil);
    expectInert(dag.node);
    HOSTILE.forEach((name, n) => {
      const label = card(dag, `n${n}`).getAttribute('aria-label');
      expect(label?.startsWith(visible(name))).toBe(true);
    });
  });

  it('are inert also as an unknown status', async () => {
    const { dag } = await drawn();
    dag.setStates({ n0: state('"><script>' as never) });
    expectInert(dag.node);
  });
});

describe('an edge', () => {
  const shown = (dag: DagView): string | null => {
    const tip = dag.node.querySelector<HTMLElement>('.kfnb-reason')!;
    return tip.hidden ? null : tip.textContent;
  };
  const line = (dag: DagView, id: string): SVGPathElement =>
    dag.node.querySelector(`.kfnb-reasons [data-edge=${id}]`)!;

  it('shows its reason at the pointer', async () => {
    const edges = DIAMOND.edges.map((edge, n) =>
      n === 0 ? { ...edge, why: 'rows, file out.csv', found: true } : edge
    );
    const { dag } = await drawn({ ...DIAMOND, edges });
    expect(shown(dag)).toBeNull();
    const moved = new MouseEvent('pointermove', { bubbles: true });
    line(dag, 'e0').dispatchEvent(moved);
    expect(shown(dag)).toBe('load → splitrows, file out.csv (seen in the run)');
    const pointed = dag.node.querySelector('.kfnb-pointed');
    expect(pointed?.getAttribute('data-id')).toBe('e0');
    line(dag, 'e0').parentElement!.dispatchEvent(
      new MouseEvent('pointerleave')
    );
    expect(shown(dag)).toBeNull();
    expect(dag.node.querySelector('.kfnb-pointed')).toBeNull();
  });

  it('can be reached by Tab from its steps', async () => {
    const { dag } = await drawn();
    const reached = (): (string | null)[] =>
      [...dag.node.querySelectorAll('.kfnb-reasons [tabindex="0"]')].map(one =>
        one.getAttribute('data-edge')
      );
    expect(reached()).toEqual(['e0']);
    dag.select('n1');
    expect(reached()).toEqual(['e0', 'e1', 'e2']);
    line(dag, 'e2').focus();
    expect(shown(dag)).toBe('split → checkx1');
    expect(line(dag, 'e2').getAttribute('aria-label')).toBe(
      'split → check: x1'
    );
    line(dag, 'e2').blur();
    expect(shown(dag)).toBeNull();
  });
});

describe('a changed graph', () => {
  afterEach(() => jest.restoreAllMocks());

  /** DIAMOND with a step inserted before the others. */
  function longer(name: string): typeof DIAMOND {
    const [first] = DIAMOND.nodes;
    return {
      ...DIAMOND,
      nodes: [{ ...first!, id: name, name }, ...DIAMOND.nodes],
      dot: `digraph { ${[...DIAMOND.nodes, first].map((_, n) => `n${n};`).join(' ')} n1 -> n2 }`
    };
  }

  it('keeps the old drawing until the new one is laid out', async () => {
    const { dag } = await drawn();
    dag.setGraph(longer('new'));
    expect(dag.node.dataset.layout).toBe('graphviz');
    expect(card(dag, 'n0').isConnected).toBe(true);
    expect(card(dag, 'new')).toBeNull();
    await settled();
    expect(card(dag, 'new').isConnected).toBe(true);
  });

  it('moves the cards of steps that are still there, with their focus', async () => {
    const { dag } = await drawn();
    const cards = DIAMOND.nodes.map(({ id }) => card(dag, id));
    dag.select('n2');
    cards[1]!.focus();
    const animate = jest.spyOn(Element.prototype, 'animate');
    dag.setGraph(longer('new'));
    await settled();
    expect(DIAMOND.nodes.map(({ id }) => card(dag, id))).toEqual(cards);
    expect(document.activeElement).toBe(cards[1]);
    expect(cards[2]!.classList).toContain('kfnb-selected');
    expect(new Set(animate.mock.contexts)).toEqual(new Set(cards));
    const order = [...dag.node.querySelectorAll('.kfnb-node')];
    expect(order.map(one => one.getAttribute('data-id'))).toEqual([
      'new',
      ...DIAMOND.nodes.map(({ id }) => id)
    ]);
  });

  it('does not move anything for a reader who wants no motion', async () => {
    const { dag } = await drawn();
    const usual = globalThis.matchMedia;
    Object.assign(globalThis, { matchMedia: () => ({ matches: true }) });
    const animate = jest.spyOn(Element.prototype, 'animate');
    dag.setGraph(longer('new'));
    await settled();
    expect(card(dag, 'new').isConnected).toBe(true);
    expect(animate).not.toHaveBeenCalled();
    Object.assign(globalThis, { matchMedia: usual });
  });

  it('removes the cards of steps that are gone, and shows what changed', async () => {
    const { dag } = await drawn(longer('new'));
    const kept = card(dag, 'n0');
    const [first, ...rest] = DIAMOND.nodes;
    const moved = { ...first!, cells: [...first!.cells, ...first!.cells] };
    dag.setGraph({ ...DIAMOND, nodes: [moved, ...rest] });
    await settled();
    expect(card(dag, 'new')).toBeNull();
    expect(card(dag, 'n0')).toBe(kept);
    expect(kept.querySelector('.kfnb-node-note')?.textContent).not.toBe(
      card(dag, 'n1').querySelector('.kfnb-node-note')?.textContent
    );
  });

  it('is laid out once more for many edits, and the newest is drawn', async () => {
    const { dag, layouter } = await drawn();
    for (let n = 0; n < 10; n += 1) {
      dag.setGraph(longer(`edit ${n}`));
    }
    await settled();
    expect(card(dag, 'edit 9').isConnected).toBe(true);
    expect(layouter.asked).toBe(3);
  });
});
