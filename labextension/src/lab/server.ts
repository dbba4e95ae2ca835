/** Requests to the server; a problem becomes an error with its sentence. */

import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { CompareMessage, Diagnostic, Json, ListedRun } from '../protocol';

export interface NewRun {
  readonly path: string;
  readonly sha256?: string;
  readonly parameters?: { readonly [name: string]: Json };
  readonly target?: string;
  readonly target_options?: { readonly [name: string]: Json };
  readonly name?: string;
  readonly from?: string;
  readonly only?: string;
  readonly parallel?: number;
  readonly retries?: number;
  readonly timeout?: string;
}

export interface TargetOption {
  readonly name: string;
  readonly help: string;
  readonly kind: 'text' | 'list' | 'table' | 'number';
  readonly choices: readonly string[];
}

export interface TargetInfo {
  readonly name: string;
  readonly title: string;
  readonly remote: boolean;
  readonly options: readonly TargetOption[];
}

export interface Workspace {
  readonly context: string;
  readonly namespace: string;
  readonly current: boolean;
}

/** One thing that was looked at in a workspace, and what to do if it is missing. */
export interface Finding {
  readonly status: string;
  readonly sentence: string;
  readonly commands: readonly string[];
}

/** What the server refused, with its reason as the message. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly findings: readonly Diagnostic[]
  ) {
    super(detail);
  }
}

const SETTINGS = ServerConnection.makeSettings();

/** Whether the page has no server; the sites of JupyterLite have this option. */
function inJupyterLite(): boolean {
  return PageConfig.getOption('litePluginSettings') !== '';
}

/** Opens a socket to the server; null in JupyterLite, which has none. */
export function socket(): WebSocket | null {
  if (inJupyterLite()) {
    return null;
  }
  const url = new URL(URLExt.join(SETTINGS.wsUrl, 'kfnb', 'v1', 'live'));
  if (SETTINGS.appendToken && SETTINGS.token) {
    url.searchParams.set('token', SETTINGS.token);
  }
  return new SETTINGS.WebSocket(url.href);
}

export function startRun(run: NewRun): Promise<{ id: string }> {
  return ask('POST', 'runs', run, {
    'Idempotency-Key': crypto.randomUUID()
  }) as Promise<{ id: string }>;
}

/** Returns a summary such as "3 steps run, 4 from the cache". */
export async function planRun(run: NewRun): Promise<string> {
  const { summary } = (await ask('POST', 'runs/plan', run)) as {
    summary?: unknown;
  };
  return typeof summary === 'string' ? summary : '';
}

export async function stopRun(id: string): Promise<void> {
  await ask('POST', `runs/${id}/stop`);
}

export async function resumeRun(id: string): Promise<void> {
  await ask('POST', `runs/${id}/resume`);
}

export async function removeRun(id: string): Promise<void> {
  await ask('DELETE', `runs/${id}`);
}

export async function targets(): Promise<readonly TargetInfo[]> {
  return ((await ask('GET', 'targets')) as { targets: TargetInfo[] }).targets;
}

export async function workspaces(
  target: string
): Promise<readonly Workspace[]> {
  const path = `targets/${encodeURIComponent(target)}/workspaces`;
  return ((await ask('GET', path)) as { workspaces: Workspace[] }).workspaces;
}

/** Asks a target what a person may do there, and what runs would miss. */
export async function examineTarget(
  target: string,
  options: { readonly [name: string]: string | undefined }
): Promise<readonly Finding[]> {
  const path = `targets/${encodeURIComponent(target)}/examine`;
  const given = Object.entries(options).filter(([, value]) => value);
  const body = { target_options: Object.fromEntries(given) };
  return ((await ask('POST', path, body)) as { findings: Finding[] }).findings;
}

/** Returns the newest runs: those of a notebook, or all. */
export async function listRuns(
  notebook: string | null
): Promise<{ runs: readonly ListedRun[]; cursor: string | null }> {
  const query =
    notebook === null ? '' : `?notebook=${encodeURIComponent(notebook)}`;
  return (await ask('GET', `runs${query}`)) as {
    runs: ListedRun[];
    cursor: string | null;
  };
}

export async function compareRuns(
  runs: readonly string[]
): Promise<CompareMessage> {
  return (await ask('GET', `compare?runs=${runs.join()}`)) as CompareMessage;
}

/** Returns the executed notebook of a step, as text. */
export async function executedNotebook(
  run: string,
  step: string
): Promise<{ name: string; text: string }> {
  const path = `runs/${run}/steps/${encodeURIComponent(step)}/notebook`;
  return (await ask('GET', path)) as { name: string; text: string };
}

/** Returns what a step printed, as far as one answer has it. */
export async function logText(run: string, step: string): Promise<string> {
  const path = `runs/${run}/steps/${encodeURIComponent(step)}/log`;
  return ((await ask('GET', path)) as { text: string }).text;
}

async function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {}
): Promise<unknown> {
  if (inJupyterLite()) {
    throw new Refused(
      0,
      'JupyterLite has no server, so nothing was started. Open the notebook in JupyterLab to run it.',
      []
    );
  }
  const response = await ServerConnection.makeRequest(
    URLExt.join(SETTINGS.baseUrl, 'kfnb', 'v1', path),
    {
      method,
      headers: { ...headers, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    },
    SETTINGS
  );
  const text = await response.text();
  let plain: unknown = null;
  try {
    plain = text ? JSON.parse(text) : null;
  } catch {
    // A proxy may answer with a page of its own.
  }
  if (!response.ok) {
    const problem = (plain ?? {}) as {
      detail?: string;
      findings?: readonly Diagnostic[];
    };
    throw new Refused(
      response.status,
      problem.detail ?? `${response.status} ${response.statusText}`,
      problem.findings ?? []
    );
  }
  return plain;
}
