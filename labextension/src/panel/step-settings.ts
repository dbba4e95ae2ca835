/** Edits of a step's options and of what it comes after, each where it is declared already. */

import type { Json } from '../protocol';
import { record } from '../settings/fields';
import { declared } from './declaration';
import type { CellEdit, CellText } from './outline';

type Options = { readonly [name: string]: Json };

/** Options whose tag or flag has another name. */
const KEYS: Readonly<Record<string, string>> = {
  limits: 'limit',
  secrets: 'secret',
  labels: 'label',
  annotations: 'annotation'
};
/** Options that have one value; the others have several, each in a tag of its own. */
const SINGLE = new Set([
  'image',
  'cpu',
  'memory',
  'gpu',
  'retries',
  'timeout',
  'cache',
  'once'
]);
const AFTER_TAG = /^(?:after|prev):(.*)$/s;
const AFTER_FLAG = /[ \t]--after(?:=|[ \t]+)("[^"]*"|'[^']*'|[^\s"']+)/g;

/** Returns the steps that cells of a step name as those that it comes after. */
export function explicitAfter(cells: readonly CellText[]): string[] {
  const names = cells.flatMap(cell => [
    ...cell.tags.flatMap(tag => AFTER_TAG.exec(tag)?.[1]?.trim() ?? []),
    ...words(cell.own?.after),
    ...[...magicLine(cell).matchAll(AFTER_FLAG)].flatMap(match =>
      unquoted(match[1] ?? '').split(',')
    )
  ]);
  return [...new Set(names.map(name => name.trim()).filter(Boolean))];
}

/** Returns the cells of a step with other steps that it comes after. */
export function withAfter(
  cells: readonly CellText[],
  after: readonly string[]
): CellText[] {
  const before = explicitAfter(cells);
  const added = after.filter(name => !before.includes(name));
  return cells.map((cell, number) => {
    const here = explicitAfter([cell]);
    const left = here.filter(name => after.includes(name));
    const names = number === 0 ? [...left, ...added] : left;
    return names.join('\n') === here.join('\n') ? cell : afterIn(cell, names);
  });
}

/** Returns the cells of a step with other options; an option that is equal is not written. */
export function withOptions(
  cells: readonly CellText[],
  before: Options,
  after: Options
): CellText[] {
  let result = [...cells];
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const value = after[name];
    if (JSON.stringify(before[name]) !== JSON.stringify(value)) {
      result = withOption(result, name, value);
    }
  }
  return result;
}

/** Returns cells after edits that were not made yet. */
export function applied(
  cells: readonly CellText[],
  edits: readonly CellEdit[]
): CellText[] {
  return cells.map(cell =>
    edits
      .filter(edit => edit.id === cell.id)
      .reduce<CellText>((one, edit) => ({ ...one, ...edit }), cell)
  );
}

/** Returns the edits that turn cells into others with the same ids. */
export function differences(
  before: readonly CellText[],
  after: readonly CellText[]
): CellEdit[] {
  return after.flatMap(cell => {
    const old = before.find(one => one.id === cell.id);
    const edit: CellEdit = {
      id: cell.id,
      ...(old?.source === cell.source ? {} : { source: cell.source }),
      ...(old?.tags.join('\n') === cell.tags.join('\n')
        ? {}
        : { tags: cell.tags }),
      ...(JSON.stringify(old?.own) === JSON.stringify(cell.own)
        ? {}
        : { own: cell.own })
    };
    return old && Object.keys(edit).length > 1 ? [edit] : [];
  });
}

function afterIn(cell: CellText, names: readonly string[]): CellText {
  const tags = cell.tags.filter(tag => {
    const name = AFTER_TAG.exec(tag)?.[1]?.trim();
    return name === undefined || names.includes(name);
  });
  const own = words(cell.own?.after).filter(name => names.includes(name));
  const line = magicLine(cell);
  const flags = [...line.matchAll(AFTER_FLAG)]
    .flatMap(match => unquoted(match[1] ?? '').split(','))
    .filter(name => names.includes(name));
  const present = new Set([
    ...tags.flatMap(tag => AFTER_TAG.exec(tag)?.[1]?.trim() ?? []),
    ...own,
    ...flags
  ]);
  const added = names.filter(name => !present.has(name));
  const { by } = declared(cell);
  if (by === 'magic') {
    flags.push(...added);
  } else if (by === 'tag') {
    tags.push(...added.map(name => `after:${name}`));
  } else {
    own.push(...added);
  }
  const rest = line.replace(AFTER_FLAG, '');
  return {
    ...cell,
    tags,
    own: withKey(cell.own, 'after', own.length ? own : undefined),
    source: withLine(
      cell,
      flags.length ? `${rest} --after ${quoted(flags.join(','))}` : rest
    )
  };
}

function withOption(
  cells: readonly CellText[],
  name: string,
  value: Json | undefined
): CellText[] {
  const key = KEYS[name] ?? name;
  const flag = new RegExp(
    `[ \\t]--(?:no-)?${key}(?:(?:=|[ \\t]+)(?!--)("[^"]*"|'[^']*'|[^\\s"']+))?(?=[ \\t]|$)`,
    'g'
  );
  const isTag = (tag: string): boolean =>
    tag.startsWith(`${key}:`) || tag === key;
  let written = value === undefined;
  const result = cells.map(cell => {
    const tagged = cell.tags.some(isTag);
    const line = magicLine(cell);
    const flagged = line.search(flag) >= 0;
    const here = !written && SINGLE.has(name) && (tagged || flagged);
    written = written || here;
    const tags = cell.tags.filter(tag => !isTag(tag));
    if (here && tagged && !flagged) {
      tags.push(tagOf(key, value));
    }
    const rest = line.replace(flag, '');
    const own = cell.own?.options;
    const others = without(record(own), name);
    return {
      ...cell,
      tags: tagged ? tags : cell.tags,
      source: flagged
        ? withLine(cell, here ? rest + flagOf(key, value) : rest)
        : cell.source,
      own: own
        ? withKey(
            cell.own,
            'options',
            Object.keys(others).length ? others : undefined
          )
        : cell.own
    };
  });
  const [first, ...rest] = result;
  if (written || !first || value === undefined) {
    return result;
  }
  const options = { ...record(first.own?.options), [name]: value };
  return [{ ...first, own: withKey(first.own, 'options', options) }, ...rest];
}

function tagOf(key: string, value: Json | undefined): string {
  return key === 'once' && value === true ? key : `${key}:${word(value)}`;
}

function flagOf(key: string, value: Json | undefined): string {
  if (key === 'once' && value !== true) {
    return '';
  }
  return typeof value === 'boolean'
    ? ` --${value ? '' : 'no-'}${key}`
    : ` --${key} ${quoted(word(value))}`;
}

function word(value: Json | undefined): string {
  return typeof value === 'boolean'
    ? value
      ? 'on'
      : 'off'
    : typeof value === 'string'
      ? value
      : JSON.stringify(value);
}

function withKey(
  own: CellText['own'],
  key: string,
  value: Json | undefined
): CellText['own'] {
  const others = without(own ?? {}, key);
  const result = value === undefined ? others : { ...others, [key]: value };
  return Object.keys(result).length ? result : null;
}

function without(own: Options, key: string): Options {
  return Object.fromEntries(
    Object.entries(own).filter(([name]) => name !== key)
  );
}

/** The `%%step` line of a cell; empty if it has none. */
function magicLine(cell: CellText): string {
  return cell.source.startsWith('%%step')
    ? (cell.source.split('\n', 1)[0] ?? '')
    : '';
}

function withLine(cell: CellText, line: string): string {
  const old = magicLine(cell);
  return old ? line + cell.source.slice(old.length) : cell.source;
}

function words(value: Json | undefined): string[] {
  return typeof value === 'string'
    ? [value]
    : Array.isArray(value)
      ? value.filter((one): one is string => typeof one === 'string')
      : [];
}

function unquoted(text: string): string {
  return text.replace(/^(["'])(.*)\1$/, '$2');
}

function quoted(text: string): string {
  return /^[^\s"']+$/.test(text) ? text : JSON.stringify(text);
}
