import loader from '../src/widget/loader';
import { showInSlots } from '../src/widget/slot';
import { DIAMOND, FakeModel } from './samples';

const ENGINE = Symbol.for('kfnb.engine');
const page = globalThis as unknown as Record<
  symbol,
  Map<string, { arrived(engine: unknown): void }> | undefined
>;

/** The HTML that a notebook contains: a slot with a picture. */
function place(name = 'p1'): HTMLElement {
  const made = document.createElement('div');
  made.dataset.kfnbSlot = name;
  const picture = document.createElement('div');
  picture.className = 'kfnb-static';
  made.append(picture);
  return made;
}

function pictureOf(of: HTMLElement): HTMLElement {
  return of.querySelector<HTMLElement>('.kfnb-static')!;
}

/** The content of a slot, which is in a shadow tree. */
function living(of: HTMLElement): string {
  return of.lastElementChild?.shadowRoot?.textContent ?? '';
}

/** Waits until promises and observers have been notified. */
function soon(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 0));
}

beforeEach(() => document.body.replaceChildren());

describe('a slot', () => {
  it('is found now or when it is added later', async () => {
    const show = jest.fn((el: HTMLElement) => {
      el.textContent = 'alive';
      return Promise.resolve(() => undefined);
    });
    const [early, late, other] = [place(), place(), place('p2')];
    document.body.append(early, other);
    const leave = showInSlots('p1', show);
    await soon();
    expect(living(early)).toBe('alive');
    expect(pictureOf(early).hidden).toBe(true);
    const output = document.createElement('div');
    output.append(late);
    document.body.append(output);
    await soon();
    expect(living(late)).toBe('alive');
    expect(living(other)).toBe('');
    expect(show).toHaveBeenCalledTimes(2);
    leave();
  });

  it('keeps its picture until the view is shown', async () => {
    let arrive!: (end: () => void) => void;
    const here = place();
    document.body.append(here);
    const leave = showInSlots(
      'p1',
      () => new Promise(resolve => (arrive = resolve))
    );
    await soon();
    expect(pictureOf(here).hidden).toBe(false);
    arrive(() => undefined);
    await soon();
    expect(pictureOf(here).hidden).toBe(true);
    leave();
  });

  it('that is drawn again takes over the view', async () => {
    const show = jest.fn(() => Promise.resolve(() => undefined));
    const [old, anew] = [place(), place()];
    document.body.append(old);
    const leave = showInSlots('p1', show);
    await soon();
    const lived = old.lastElementChild;
    old.replaceWith(anew);
    await soon();
    expect(anew.lastElementChild).toBe(lived);
    expect(pictureOf(anew).hidden).toBe(true);
    expect(show).toHaveBeenCalledTimes(1);
    leave();
  });

  it('that is removed from the page and added again keeps its view', async () => {
    const show = jest.fn(() => Promise.resolve(() => undefined));
    const here = place();
    document.body.append(here);
    const leave = showInSlots('p1', show);
    here.remove();
    await soon();
    document.body.append(here);
    await soon();
    expect(here.children).toHaveLength(2);
    expect(show).toHaveBeenCalledTimes(1);
    leave();
  });

  it('shows its picture again at the end', async () => {
    const end = jest.fn();
    const here = place();
    document.body.append(here);
    const leave = showInSlots('p1', () => Promise.resolve(end));
    await soon();
    leave();
    await soon();
    expect(end).toHaveBeenCalledTimes(1);
    expect(here.children).toHaveLength(1);
    expect(pictureOf(here).hidden).toBe(false);
    document.body.append(place());
    await soon();
    expect(document.querySelectorAll('[data-kfnb-slot] > *')).toHaveLength(2);
  });

  it('keeps its picture if the view fails', async () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    const here = place();
    document.body.append(here);
    const leave = showInSlots('p1', () =>
      Promise.reject(new Error('cut short'))
    );
    await soon();
    expect(here.children).toHaveLength(1);
    expect(pictureOf(here).hidden).toBe(false);
    expect(warn).toHaveBeenCalled();
    warn.mockRestore();
    leave();
  });
});

describe('the loader', () => {
  it('shows the engine in the slot of its widget', async () => {
    page[ENGINE] = undefined;
    const here = place('p9');
    document.body.append(here);
    const model = new FakeModel({ engine: 'abc', slot: 'p9', graph: DIAMOND });
    const leave = loader.initialize({ model });
    expect(model.sent).toEqual([{ kind: 'hello', have: false }]);
    expect(living(here)).toBe('');
    page[ENGINE]!.get('abc')!.arrived(
      Promise.resolve({
        render: ({ el }: { el: HTMLElement }) => {
          el.textContent = 'alive';
          return () => undefined;
        }
      })
    );
    await soon();
    expect(living(here)).toBe('alive');
    leave?.();
  });

  it('requests nothing while the page has no such slot', () => {
    page[ENGINE] = undefined;
    const model = new FakeModel({ engine: 'abc', slot: 'p8', graph: DIAMOND });
    const leave = loader.initialize({ model });
    expect(model.sent).toEqual([]);
    leave?.();
  });

  it.each([{ slot: '' }, { engine: '' }, { slot: undefined }])(
    'leaves a widget without a place to ipywidgets: %p',
    traits => {
      const model = new FakeModel({ engine: 'abc', slot: 'p7', ...traits });
      expect(loader.initialize({ model })).toBeUndefined();
    }
  );
});
