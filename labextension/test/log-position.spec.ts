import { LogPosition } from '../src/logs/log-position';
import type { LogMessage } from '../src/protocol';

function piece(
  from: number,
  text: string,
  more: Partial<LogMessage> = {}
): LogMessage {
  const to = from + new Blob([text]).size;
  return {
    kind: 'log',
    step: 'n0',
    index: '',
    attempt: 1,
    from,
    to,
    total: Math.max(to, 100),
    text,
    reset: from === 0,
    attempts: [1],
    ...more
  };
}

function fed(...messages: LogMessage[]): unknown[] {
  const feed = new LogPosition();
  return messages.map(message => {
    const { act, ...rest } = feed.take(message);
    return [act, ...Object.values(rest)];
  });
}

describe('chunks of a log', () => {
  it('are added in order', () => {
    expect(fed(piece(0, 'one'), piece(3, 'two'))).toEqual([
      ['begin', 'one', 0],
      ['add', 'two', 0]
    ]);
  });

  it('are not shown twice, also if all are sent again', () => {
    const all = [piece(0, 'one'), piece(3, 'two')];
    expect(fed(...all, ...all, piece(6, 'x')).slice(2)).toEqual([
      ['ignore'],
      ['ignore'],
      ['add', 'x', 0]
    ]);
  });

  it('are cut at an overlap, counted in bytes', () => {
    expect(fed(piece(0, 'né'), piece(1, 'éx€y'))[1]).toEqual(['add', 'x€y', 0]);
  });

  it('are requested again if the overlap is unclear', () => {
    const torn = piece(1, '\ufffdxy', { to: 4 });
    expect(fed(piece(0, 'ab'), torn)[1]).toEqual(['ask', 2]);
  });

  it('that are missing are requested once', () => {
    expect(
      fed(
        piece(0, 'one'),
        piece(6, 'three'),
        piece(11, 'four'),
        piece(3, 'two'),
        piece(6, 'three')
      ).slice(1)
    ).toEqual([['ask', 3], ['ignore'], ['add', 'two', 0], ['add', 'three', 0]]);
  });

  it('that the kernel left out are counted in bytes', () => {
    expect(fed(piece(90, 'end', { reset: true }))).toEqual([
      ['begin', 'end', 90]
    ]);
    expect(fed(piece(0, 'a'), piece(90, 'end', { reset: true }))[1]).toEqual([
      'add',
      'end',
      89
    ]);
  });

  it('of another attempt, or of a file that shrank, replace the text', () => {
    expect(
      fed(
        piece(0, 'one'),
        piece(0, 'two', { attempt: 2 }),
        piece(3, 'x', { attempt: 2 }),
        piece(0, 'y', { attempt: 2, total: 1 })
      ).slice(1)
    ).toEqual([
      ['begin', 'two', 0],
      ['add', 'x', 0],
      ['begin', 'y', 0]
    ]);
  });

  it('of another attempt are requested from their beginning', () => {
    expect(
      fed(piece(0, 'one'), piece(3, 'x', { attempt: 2, reset: false }))[1]
    ).toEqual(['ask', 0]);
  });
});
