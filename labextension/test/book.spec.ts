import { Book, type SentCell } from '../src/panel/book';
import { Connection } from '../src/panel/connection';

class FakeSocket {
  readonly sent: { ch: string; kind: string; [key: string]: unknown }[] = [];
  onmessage: (event: { data: string }) => void = () => undefined;
  onclose: () => void = () => undefined;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as (typeof this.sent)[number]);
  }

  close(): void {
    this.onclose();
  }

  answer(message: object): void {
    this.onmessage({ data: JSON.stringify(message) });
  }

  hello(protocol = 1, version = '1.0'): void {
    this.answer({ ch: '', kind: 'hello', protocol, version });
  }
}

const CH = 'book:nb.ipynb';

function setUp() {
  const sockets: FakeSocket[] = [];
  const connection = new Connection(() => {
    sockets.push(new FakeSocket());
    return sockets.at(-1) as unknown as WebSocket;
  });
  const cells: SentCell[] = ['a', 'b'].map(id => ({
    id,
    cell_type: 'code',
    source: 'x',
    metadata: {}
  }));
  const book = new Book(connection, {
    path: 'nb.ipynb',
    cells: () => cells,
    metadata: () => ({})
  });
  connection.connect();
  const edits = () =>
    sockets.flatMap(one => one.sent).filter(one => one.kind === 'edit');
  return { sockets, connection, cells, book, edits };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test('all cells are sent first, and then only those that changed', () => {
  const { sockets, cells, book, edits } = setUp();
  sockets[0]!.hello();
  expect(Object.keys(edits()[0]!.cells as object)).toEqual(['a', 'b']);
  cells[1] = { ...cells[1]!, source: 'y' };
  book.edit();
  expect(Object.keys(edits()[1]!.cells as object)).toEqual(['b']);
  book.edit();
  expect(edits()).toHaveLength(2);
});

test('edits during the delay are sent together', () => {
  const { sockets, cells, book, edits } = setUp();
  sockets[0]!.hello();
  for (const source of ['1', '2', '3']) {
    cells[0] = { ...cells[0]!, source };
    book.later(120);
    jest.advanceTimersByTime(60);
  }
  jest.advanceTimersByTime(120);
  expect(edits()).toHaveLength(2);
});

test('an answer to an older revision is not shown', () => {
  const { sockets, cells, book } = setUp();
  sockets[0]!.hello();
  cells[0] = { ...cells[0]!, source: 'new' };
  book.edit();
  const outline = (name: string) => ({
    steps: [{ name, cells: ['a'], after: [] }],
    setup: [],
    parameters: [],
    metrics: [],
    skip: []
  });
  const message = { ch: CH, kind: 'outline' };
  sockets[0]!.answer({ ...message, rev: 2, outline: outline('two') });
  sockets[0]!.answer({ ...message, rev: 1, outline: outline('one') });
  expect(book.outline.steps[0]!.name).toBe('two');
});

test('after a lost connection everything is opened and sent again', () => {
  const { sockets, connection, edits } = setUp();
  sockets[0]!.hello();
  sockets[0]!.close();
  expect(connection.state).toBe('lost');
  jest.advanceTimersByTime(1000);
  sockets[1]!.hello();
  expect(sockets[1]!.sent.map(one => one.kind)).toContain('open-book');
  expect(Object.keys(edits().at(-1)!.cells as object)).toEqual(['a', 'b']);
});

test('a server without kfnb is absent, and tags are read by the page', () => {
  const { sockets, connection, cells, book } = setUp();
  sockets[0]!.close();
  expect(connection.state).toBe('absent');
  cells[0] = { ...cells[0]!, metadata: { tags: ['step:one'] } };
  book.edit();
  expect(book.outline.steps.map(step => step.name)).toEqual(['one']);
});

test('a page without a server asks for none, and tags are read', () => {
  const connection = new Connection(() => null);
  connection.connect();
  connection.connect();
  expect(connection.state).toBe('none');
});

test.each([
  [1, '1.0', false],
  [2, '1.0', true],
  [1, '0.9', true]
])(
  'a server of protocol %i and version %s differs from the page: %s',
  (protocol, version, differs) => {
    const { sockets, connection } = setUp();
    sockets[0]!.hello(protocol, version);
    expect(connection.differs).toBe(differs);
  }
);

test('the states of a run are those of the newest message', () => {
  const { sockets, book } = setUp();
  sockets[0]!.hello();
  book.follow('r1');
  const run = 'run:r1';
  const state = { seq: 1, status: 'running', steps: { a: { status: 'x' } } };
  sockets[0]!.answer({ ch: run, kind: 'snapshot', run: { id: 'r1' }, state });
  expect(book.running).toBe(true);
  const later = { ch: run, kind: 'state', seq: 3, status: 'succeeded' };
  sockets[0]!.answer({ ...later, steps: { b: { status: 'y' } } });
  sockets[0]!.answer({ ...later, seq: 2, status: 'running', steps: {} });
  expect(book.state?.status).toBe('succeeded');
  expect(Object.keys(book.state?.steps ?? {})).toEqual(['a', 'b']);
  book.follow('r2');
  expect(book.state).toBeNull();
});

function listed(id: string, status: string): object {
  return { id, title: '', notebook: 'nb.ipynb', status, created: 1 };
}

test('a run that was started elsewhere is followed once', () => {
  const { sockets, book } = setUp();
  const socket = sockets[0]!;
  socket.hello();
  const list = { ch: 'runs:nb.ipynb', kind: 'runs' };
  const opened = () =>
    socket.sent.filter(one => one.kind === 'open-run').map(one => one.ch);
  socket.answer({ ...list, runs: [listed('r1', 'succeeded')] });
  expect(opened()).toEqual([]);
  socket.answer({ ...list, runs: [listed('r2', 'running')] });
  expect(opened()).toEqual(['run:r2']);
  book.follow(null);
  socket.answer({ ...list, runs: [listed('r2', 'running')] });
  expect(opened()).toEqual(['run:r2']);
});

test('the list has the status of the run that is followed', () => {
  const { sockets, book } = setUp();
  const socket = sockets[0]!;
  socket.hello();
  socket.answer({
    ch: 'runs:nb.ipynb',
    kind: 'runs',
    runs: [listed('r1', 'running'), listed('r0', 'failed')]
  });
  const state = { seq: 2, status: 'succeeded', steps: {}, warnings: [] };
  socket.answer({ ch: 'run:r1', kind: 'snapshot', state });
  expect(book.runs.map(run => run.status)).toEqual(['succeeded', 'failed']);
});
