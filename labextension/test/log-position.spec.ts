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

describe('pieces of a log', () => {
  it('follow each other', () => {
    expect(fed(piece(0, 'one'), piece(3, 'two'))).toEqual([
      ['begin', 'one', 0],
      ['add', 'two', 0]
    ]);
  });

  it('that came already are not shown again, also when all comes anew', () => {
    const all = [piece(0, 'one'), piece(3, 'two')];
    expect(fed(...all, ...all, piece(6, 'x')).slice(2)).toEqual([
      ['ignore'],
      ['ignore'],
      ['add', 'x', 0]
    ]);
  });

  it('are cut where they overlap, in bytes', () => {
    expect(fed(piece(0, 'né'), piece(1, 'éx€y'))[1]).toEqual(['add', 'x€y', 0]);
  });

  it('are asked for again where it is unclear what overlaps', () => {
    const torn = piece(1, '\ufffdxy', { to: 4 });
    expect(fed(piece(0, 'ab'), torn)[1]).toEqual(['ask', 2]);
  });

  it('that are missing are asked for once, and what comes later waits', () => {
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

  it('that the kernel left out are counted', () => {
    expect(fed(piece(90, 'end', { reset: true }))).toEqual([
      ['begin', 'end', 90]
    ]);
    expect(fed(piece(0, 'a'), piece(90, 'end', { reset: true }))[1]).toEqual([
      'add',
      'end',
      89
    ]);
  });

  it('of another attempt, or of a file that shrank, begin anew', () => {
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

  it('of another attempt whose beginning is missing are asked for', () => {
    expect(
      fed(piece(0, 'one'), piece(3, 'x', { attempt: 2, reset: false }))[1]
    ).toEqual(['ask', 0]);
  });
});
