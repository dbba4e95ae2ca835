/** The options of a whole pipeline as text: how they are read, checked and written. */

import type { Json } from '../protocol';

export type JsonObject = { readonly [name: string]: Json };

export interface Field {
  readonly name: string;
  readonly label: string;
  /** What the field takes, for people who do not know it. */
  readonly hint: string;
  /** Several lines of `NAME=value`. */
  readonly lines?: boolean;
  /** The texts that can be chosen, besides an empty one. */
  readonly choices?: readonly string[];
  text(value: Json): string;
  /** Returns the value of a text that is not empty; null if it does not fit. */
  value(text: string): Json | null;
}

// The patterns of notebook.schema.json, which a test compares with these.
export const QUANTITY =
  '^\\s*[0-9]+(\\.[0-9]*)?([eE][+-]?[0-9]+|[EPTGMK]i|[EPTGMkmun])?\\s*$';
export const COUNT = '^\\s*[0-9]+\\s*$';
export const DURATION =
  '^\\s*([0-9]+(\\.[0-9]+)?|([0-9]+(\\.[0-9]+)?\\s*[smhd]\\s*)+)\\s*$';
export const IMAGE = '^\\s*\\S+\\s*$';
export const VARIABLE = '^[A-Za-z_][A-Za-z0-9_]*$';
export const MOUNT = '^/';

export const FIELDS: readonly Field[] = [
  line('image', 'Image', 'the container image, as python:3.12', IMAGE),
  line('cpu', 'CPU', 'cores: 2, or 500m for half of one', QUANTITY),
  line('memory', 'Memory', 'as 4Gi', QUANTITY),
  count('gpu', 'GPUs', 'how many'),
  count('retries', 'Retries', 'further attempts after a failure'),
  line('timeout', 'Timeout', 'of each step: 90, 30m or 2h', DURATION),
  choice('cache', 'Cache', 'whether earlier results are used'),
  table('env', 'Environment', 'a line each: NAME=value', VARIABLE),
  {
    name: 'secrets',
    label: 'Secrets',
    hint: 'of the cluster, a line each: NAME=secret/key',
    lines: true,
    text: value =>
      list(value)
        .map(one => `${word(one.env)}=${word(one.name)}/${word(one.key)}`)
        .join('\n'),
    value: text => {
      const read = rows(text).map(row => /^(\w+)=([^/=]+)\/([^/]+)$/.exec(row));
      return read.every(one => one !== null && matches(VARIABLE, one[1] ?? ''))
        ? read.map(one => ({
            name: one?.[2] ?? '',
            key: one?.[3] ?? '',
            env: one?.[1] ?? ''
          }))
        : null;
    }
  },
  table('limits', 'Limits', 'a line each: nvidia.com/gpu=1', '.', QUANTITY),
  table('labels', 'Labels', 'a line each: NAME=value', '.'),
  table('annotations', 'Annotations', 'a line each: NAME=value', '.')
];

/** The options of one step: those that a whole pipeline has too, and one more. */
export const STEP_FIELDS: readonly Field[] = [
  ...FIELDS,
  choice('once', 'Once', 'on: it has effects that must not happen twice')
];

export const VOLUME_FIELDS: readonly Field[] = [
  line('mount', 'Folder in the steps', 'as /data', MOUNT),
  line('claim', 'Claim', 'a PersistentVolumeClaim that exists', IMAGE),
  line('name', 'Name', 'of a new volume', IMAGE),
  line('size', 'Size', 'of a new volume, as 5Gi', QUANTITY),
  line('storage_class', 'Storage class', 'of a new volume', IMAGE)
];

/** The objects of a list; an empty list for anything else. */
export function list(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.map(record) : [];
}

/** An object; an empty one for anything else. */
export function record(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? value
    : {};
}

function line(
  name: string,
  label: string,
  hint: string,
  pattern: string
): Field {
  return {
    name,
    label,
    hint,
    text: word,
    value: text => (matches(pattern, text) ? text.trim() : null)
  };
}

function count(name: string, label: string, hint: string): Field {
  return {
    ...line(name, label, hint, COUNT),
    value: text => (matches(COUNT, text) ? Number(text) : null)
  };
}

function choice(name: string, label: string, hint: string): Field {
  return {
    name,
    label,
    hint,
    choices: ['on', 'off'],
    text: value => (value === true ? 'on' : value === false ? 'off' : ''),
    value: text => (text === 'on' ? true : text === 'off' ? false : null)
  };
}

function table(
  name: string,
  label: string,
  hint: string,
  names: string,
  values = ''
): Field {
  return {
    name,
    label,
    hint,
    lines: true,
    text: value =>
      Object.entries(record(value))
        .map(([key, one]) => `${key}=${word(one)}`)
        .join('\n'),
    value: text => {
      const pairs = rows(text).map(row => {
        const at = row.indexOf('=');
        return at < 0 ? null : [row.slice(0, at).trim(), row.slice(at + 1)];
      });
      const fit = pairs.every(
        pair =>
          pair !== null &&
          matches(names, pair[0] ?? '') &&
          matches(values, pair[1] ?? '')
      );
      return fit
        ? Object.fromEntries(
            pairs.map(pair => [pair?.[0] ?? '', (pair?.[1] ?? '').trim()])
          )
        : null;
    }
  };
}

function matches(pattern: string, text: string): boolean {
  return new RegExp(pattern).test(text);
}

function rows(text: string): string[] {
  return text
    .split('\n')
    .map(row => row.trim())
    .filter(Boolean);
}

function word(value: Json | undefined): string {
  return value === undefined || value === null
    ? ''
    : typeof value === 'string'
      ? value
      : JSON.stringify(value);
}
