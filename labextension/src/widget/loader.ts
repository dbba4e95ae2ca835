/**
 * The widget's `_esm`. It is small, because every view and every saved notebook contains it.
 *
 * The kernel sends the engine once per page; a view does not ask while the request of another one
 * is recent. Before that, and without a kernel, the steps are shown as a list.
 */
import type { Engine, Model, Rendering } from './anywidget';
import { showInSlots } from './slot';

interface Entry {
  readonly engine: Promise<Engine>;
  readonly arrived: (engine: Promise<Engine>) => void;
  asked: number;
}

const PATIENCE = 4000;

function entries(): Map<string, Entry> {
  const page = globalThis as { [key: symbol]: Map<string, Entry> | undefined };
  return (page[Symbol.for('kfnb.engine')] ??= new Map<string, Entry>());
}

function entryOf(hash: string): Entry {
  let entry = entries().get(hash);
  if (!entry) {
    let arrived!: Entry['arrived'];
    const engine = new Promise<Engine>(resolve => (arrived = resolve));
    entry = { engine, arrived, asked: -Infinity };
    entries().set(hash, entry);
  }
  return entry;
}

async function engineFor(model: Model): Promise<Engine> {
  const entry = entryOf(model.get('engine') as string);
  const onMessage = (
    message: { kind?: string },
    buffers: (DataView | ArrayBuffer)[] = []
  ): void => {
    if (message.kind === 'engine' && buffers[0]) {
      // The URL is not revoked: other views of this page import it too.
      const url = URL.createObjectURL(
        new Blob([buffers[0]], { type: 'text/javascript' })
      );
      entry.arrived(import(url) as Promise<Engine>);
    }
  };
  let tries = 1;
  const ask = (): void => {
    // Ask less often after each request without an answer; another view's kernel may answer.
    if (Date.now() - entry.asked > PATIENCE * tries) {
      tries += 1;
      entry.asked = Date.now();
      model.send({ kind: 'hello', have: false });
    }
  };
  model.on('msg:custom', onMessage);
  const timer = setInterval(ask, PATIENCE / 2);
  ask();
  try {
    return await entry.engine;
  } catch (error) {
    // The next view requests it again.
    entries().delete(model.get('engine') as string);
    throw error;
  } finally {
    clearInterval(timer);
    model.off('msg:custom', onMessage);
  }
}

function add(parent: HTMLElement, tag: string, text = ''): HTMLElement {
  const child = document.createElement(tag);
  child.textContent = text;
  parent.append(child);
  return child;
}

/** Shows the saved state as text. */
function outline(model: Model, el: HTMLElement): HTMLElement {
  const graph = model.get('graph') as {
    name: string;
    nodes: { id: string; name: string }[];
  };
  const run = model.get('run') as { id: string } | null;
  const state = model.get('state') as {
    status: string;
    steps: Record<string, { status: string } | undefined>;
  } | null;
  const box = add(el, 'div');
  box.className = 'kfnb-outline';
  add(box, 'strong', graph.name);
  if (run && state) {
    box.append(` ${run.id}: ${state.status}`);
  }
  const list = add(box, 'ol');
  for (const { id, name } of graph.nodes) {
    const status = state?.steps[id]?.status;
    add(list, 'li', status ? `${name}: ${status}` : name);
  }
  return box;
}

async function render({ model, el }: Rendering): Promise<() => void> {
  const box = outline(model, el);
  if (!model.get('engine')) {
    return () => box.remove();
  }
  const note = add(box, 'small');
  const timer = setTimeout(() => {
    note.textContent =
      'The kernel is busy or not running; the live view follows when it answers.';
  }, 1000);
  try {
    const engine = await engineFor(model);
    box.remove();
    return engine.render({ model, el });
  } catch (error) {
    note.textContent = `The live view could not be loaded: ${String(error)}`;
    return () => box.remove();
  } finally {
    clearTimeout(timer);
  }
}

/** Shows a widget in its slot, so that ipywidgets does not have to show it. */
function initialize({
  model
}: Pick<Rendering, 'model'>): (() => void) | undefined {
  const slot = model.get('slot') as string | undefined;
  if (!slot || !model.get('engine')) {
    return undefined;
  }
  return showInSlots(slot, async el =>
    (await engineFor(model)).render({ model, el })
  );
}

export default { initialize, render };
