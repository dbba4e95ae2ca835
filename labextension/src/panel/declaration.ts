/** Reads and changes what declares the step of a cell: a tag, `metadata.kfnb` or a `%%step` line. */

import type { Json } from '../protocol';
import type {
  CellEdit,
  CellText,
  Outline,
  OutlineStep,
  Proposal,
  Role
} from './outline';

export type Source = 'tag' | 'metadata' | 'magic';

export interface Declared {
  readonly role: Role | null;
  readonly step: string | null;
  /** What declares it; the last of several counts. */
  readonly by: Source | null;
}

const MAGIC = /^%%step[ \t]+(.*?)(?=[ \t]+--|[ \t]*$)(.*)$/m;
const STEP_TAG = /^(step|block):(.*)$/s;
const AFTER_TAG = /^(after|prev):(.*)$/s;
const ROLES: Readonly<Record<string, Role>> = {
  setup: 'setup',
  imports: 'setup',
  functions: 'setup',
  parameters: 'parameters',
  'pipeline-parameters': 'parameters',
  metrics: 'metrics',
  'pipeline-metrics': 'metrics',
  skip: 'skip'
};

/** Returns what a cell declares; a line counts more than metadata, and metadata more than a tag. */
export function declared(cell: CellText): Declared {
  let result: Declared = { role: null, step: null, by: null };
  for (const tag of cell.tags) {
    const step = STEP_TAG.exec(tag)?.[2]?.trim();
    const role = ROLES[tag];
    if (step) {
      result = { ...result, step, by: 'tag' };
    } else if (role) {
      result = { ...result, role, by: 'tag' };
    }
  }
  const { step, role } = cell.own ?? {};
  if (typeof role === 'string' && role !== 'step' && ROLES[role]) {
    result = { role: ROLES[role], step: null, by: 'metadata' };
  } else if (typeof step === 'string' && step.trim()) {
    result = { role: null, step: step.trim(), by: 'metadata' };
  }
  const line = magic(cell);
  if (line) {
    result = { role: result.role, step: line.name, by: 'magic' };
  }
  return result.role ? { ...result, step: null } : result;
}

/** Returns the edits that make cells parts of a step, each where its step is declared already. */
export function toStep(cells: readonly CellText[], name: string): CellEdit[] {
  return cells.map(cell => {
    const { by, role } = declared(cell);
    const line = magic(cell);
    if (line) {
      return { id: cell.id, source: withName(cell.source, name) };
    }
    if (by === 'tag' && !role) {
      return {
        id: cell.id,
        tags: cell.tags.map(tag => {
          const match = STEP_TAG.exec(tag);
          return match ? `${match[1] ?? 'step'}:${name}` : tag;
        })
      };
    }
    return {
      id: cell.id,
      ...(by === 'tag' ? { tags: cell.tags.filter(tag => !ROLES[tag]) } : {}),
      own: { ...without(cell.own, 'role'), step: name }
    };
  });
}

/** Returns the edits that give cells a role instead of a step. */
export function toRole(cells: readonly CellText[], role: Role): CellEdit[] {
  return cells.map(cell => ({
    ...cleared(cell),
    own: { ...without(cell.own, 'step', 'after', 'options'), role }
  }));
}

/** Returns the edits that remove what declares steps and roles; foreign tags stay. */
export function clear(cells: readonly CellText[]): CellEdit[] {
  return cells
    .filter(cell => declared(cell).by !== null || cell.own)
    .map(cell => ({ ...cleared(cell), own: null }));
}

/** Returns the edits that rename a step in every cell and in every dependency on it. */
export function rename(
  cells: readonly CellText[],
  from: string,
  to: string
): CellEdit[] {
  const edits: CellEdit[] = [];
  for (const cell of cells) {
    const [own] =
      declared(cell).step === from ? toStep([cell], to) : [undefined];
    const tags = (own?.tags ?? cell.tags).map(tag => {
      const match = AFTER_TAG.exec(tag);
      return match?.[2]?.trim() === from ? `${match[1] ?? 'after'}:${to}` : tag;
    });
    const metadata = own?.own ?? cell.own;
    const after = list(metadata?.after).map(name =>
      name === from ? to : name
    );
    const changed = metadata && list(metadata.after).includes(from);
    const source = afterRenamed(own?.source ?? cell.source, from, to);
    const edit: CellEdit = {
      id: cell.id,
      ...(tags.join('\n') === cell.tags.join('\n') ? {} : { tags }),
      ...(own?.own || changed
        ? { own: changed ? { ...metadata, after } : (own?.own ?? null) }
        : {}),
      ...(source === cell.source ? {} : { source })
    };
    if (Object.keys(edit).length > 1) {
      edits.push(edit);
    }
  }
  return edits;
}

/** Returns the edits that write Kale's tags as kfnb's. */
export function fromKale(cells: readonly CellText[]): CellEdit[] {
  const edits: CellEdit[] = [];
  for (const cell of cells) {
    const tags = cell.tags.map(tag => {
      const [key = '', ...rest] = tag.split(':');
      const name = rest.join(':');
      if (key === 'block' && name) {
        return `step:${name}`;
      }
      if (key === 'prev') {
        return `after:${name}`;
      }
      return rest.length ? tag : (ROLES[tag] ?? tag);
    });
    const distinct = [...new Set(tags)];
    if (distinct.join('\n') !== cell.tags.join('\n')) {
      edits.push({ id: cell.id, tags: distinct });
    }
  }
  return edits;
}

/** Returns the edits that write a proposal into a notebook without tags. */
export function accepted(
  cells: readonly CellText[],
  proposal: Proposal
): CellEdit[] {
  const byId = new Map(cells.map(cell => [cell.id, cell]));
  const of = (ids: readonly string[]): CellText[] =>
    ids.map(id => byId.get(id)).filter(cell => cell !== undefined);
  return [
    ...toRole(of(proposal.setup), 'setup'),
    ...toRole(of(proposal.parameters), 'parameters'),
    ...proposal.steps.flatMap(step => toStep(of(step.cells), step.name))
  ];
}

/**
 * Returns the steps as this page reads them, without the server: an untagged cell belongs to the
 * step above it.
 */
export function localOutline(cells: readonly CellText[]): Outline {
  const steps = new Map<string, string[]>();
  const roles: Record<Role, string[]> = {
    setup: [],
    parameters: [],
    metrics: [],
    skip: []
  };
  let current: string | null = null;
  let inSetup = false;
  for (const cell of cells) {
    const { role, step } = declared(cell);
    if (cell.type !== 'code') {
      current = step ?? current;
      continue;
    }
    if (role) {
      roles[role].push(cell.id);
      inSetup = role === 'setup' || (inSetup && role !== 'skip');
      continue;
    }
    if (step) {
      current = step;
      inSetup = false;
    }
    if (inSetup) {
      roles.setup.push(cell.id);
    } else if (current !== null) {
      const own = steps.get(current) ?? [];
      own.push(cell.id);
      steps.set(current, own);
    }
  }
  return {
    steps: [...steps].map(([name, ids]): OutlineStep => ({
      name,
      cells: ids,
      after: []
    })),
    ...roles
  };
}

function cleared(cell: CellText): CellEdit {
  const tags = cell.tags.filter(
    tag => !ROLES[tag] && !STEP_TAG.test(tag) && !AFTER_TAG.test(tag)
  );
  return {
    id: cell.id,
    ...(tags.length === cell.tags.length ? {} : { tags }),
    ...(magic(cell)
      ? { source: cell.source.replace(/^%%step[^\n]*(\n|$)/, '') }
      : {})
  };
}

function magic(cell: CellText): { name: string } | null {
  if (!cell.source.startsWith('%%step') || cell.type !== 'code') {
    return null;
  }
  const name = (MAGIC.exec(cell.source.split('\n', 1)[0] ?? '')?.[1] ?? '')
    .trim()
    .replace(/^(["'])(.*)\1$/, '$2');
  return name ? { name } : null;
}

function withName(source: string, name: string): string {
  const quoted = /^[^\s"']+$/.test(name) ? name : JSON.stringify(name);
  return source.replace(
    MAGIC,
    (_line, _name: string, rest: string) => `%%step ${quoted}${rest}`
  );
}

function afterRenamed(source: string, from: string, to: string): string {
  if (!source.startsWith('%%step')) {
    return source;
  }
  const [line = '', ...rest] = source.split('\n');
  const changed = line.replace(
    /(--after[ =]+)([^\s"']+)/g,
    (_all, flag: string, names: string) =>
      flag +
      names
        .split(',')
        .map(name => (name === from ? to : name))
        .join(',')
  );
  return [changed, ...rest].join('\n');
}

function without(
  own: CellText['own'],
  ...keys: string[]
): { [key: string]: Json } {
  return Object.fromEntries(
    Object.entries(own ?? {}).filter(([key]) => !keys.includes(key))
  );
}

function list(value: Json | undefined): string[] {
  return Array.isArray(value)
    ? value.filter((one): one is string => typeof one === 'string')
    : typeof value === 'string'
      ? [value]
      : [];
}
