import { NotebookAround, viewer } from '../src/widget/notebook';
import { location } from './samples';

const scrolled: string[] = [];

/** A notebook as Jupyter renders it: some of its cells, and a view in the last one. */
function notebook(first: number, ...sources: string[]): HTMLElement {
  const node = document.createElement('div');
  node.className = 'jp-Notebook';
  const scroller = document.createElement('div');
  scroller.className = 'jp-WindowedPanel-outer';
  node.append(scroller);
  sources.forEach((source, n) => scroller.append(cell(first + n, source)));
  const host = document.createElement('div');
  host.attachShadow({ mode: 'open' }).append(document.createElement('div'));
  scroller.lastElementChild?.append(host);
  document.body.append(node);
  return host.shadowRoot?.firstElementChild as HTMLElement;
}

function cell(index: number, source: string): HTMLElement {
  const node = document.createElement('div');
  node.className = 'jp-Cell';
  node.dataset.windowedListIndex = String(index);
  const input = document.createElement('div');
  input.className = 'jp-InputArea';
  input.textContent = source;
  node.append(input);
  node.scrollIntoView = () => void scrolled.push(source);
  return node;
}

beforeEach(() => scrolled.splice(0));
afterEach(() => document.body.replaceChildren());

describe('the notebook around a view', () => {
  it('is found from inside the view’s shadow tree', () => {
    const host = notebook(0, 'a = 1');
    expect(new NotebookAround(host).goTo).not.toBeNull();
  });

  it('is absent on other pages', () => {
    const host = document.createElement('div');
    document.body.append(host);
    const around = new NotebookAround(host);
    expect(around.goTo).toBeNull();
  });

  it('scrolls to the cell with the index and the text', () => {
    const around = new NotebookAround(notebook(0, 'x = 1', 'y = 1', 'x = 1'));
    around.goTo?.(location(2, { text: 'x = 1' }));
    expect(scrolled).toEqual(['x = 1']);
  });

  it('scrolls to the only cell with the text if cells were inserted', () => {
    const around = new NotebookAround(notebook(0, 'new', 'a = 1', 'b = 2'));
    around.goTo?.(location(0, { text: 'a = 1' }));
    expect(scrolled).toEqual(['a = 1']);
  });

  it('does not scroll to another cell if the cell was removed or rewritten', () => {
    const around = new NotebookAround(notebook(0, 'b = 1', 'b = 2'));
    around.goTo?.(location(1, { text: 'a = 1' }));
    expect(scrolled).toEqual([]);
  });

  it('scrolls towards a cell that is not rendered yet', () => {
    const host = notebook(5, 'f = 5', 'g = 6');
    const scroller = document.querySelector('.jp-WindowedPanel-outer')!;
    jest.spyOn(scroller, 'clientHeight', 'get').mockReturnValue(100);
    const frames: FrameRequestCallback[] = [];
    jest
      .spyOn(globalThis, 'requestAnimationFrame')
      .mockImplementation(act => frames.push(act));
    scroller.scrollTop = 250;
    const around = new NotebookAround(host);
    around.goTo?.(location(4, { text: 'e = 4' }));
    expect(scroller.scrollTop).toBe(150);
    scroller.prepend(cell(4, 'e = 4'));
    frames.shift()?.(0);
    expect(scrolled).toEqual(['e = 4']);
    expect(frames).toEqual([]);
  });
});

describe('the viewer of a page', () => {
  const configure = (config: string): void => {
    const element = document.createElement('script');
    element.id = 'jupyter-config-data';
    element.type = 'application/json';
    element.textContent = config;
    document.body.append(element);
  };

  it('opens a notebook of the server beside this one', () => {
    const opened = jest.spyOn(window, 'open').mockReturnValue(null);
    configure('{"baseUrl": "/user/ada/"}');
    viewer()?.('runs/a b?.ipynb');
    expect(opened).toHaveBeenCalledWith(
      '/user/ada/lab/tree/runs/a%20b%3F.ipynb',
      '_blank',
      'noopener'
    );
    document.body.replaceChildren();
    configure('{"baseUrl": "/", "notebookPage": "notebooks"}');
    viewer()?.('a.ipynb');
    expect(opened.mock.calls.at(-1)?.[0]).toBe('/notebooks/a.ipynb');
  });

  it('is absent where the page belongs to no server', () => {
    expect(viewer()).toBeNull();
    configure('{');
    expect(viewer()).toBeNull();
  });
});
