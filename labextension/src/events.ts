/** The events of a run. Made by python -m kfnb.engine.event_schema; do not edit. */

/** An attempt ended without a result; ``began``: its first cell may have begun. */
export interface AttemptFailed {
  class: 'cancelled' | 'configuration' | 'disk' | 'infrastructure' | 'memory' | 'timeout' | 'user';
  ename?: string | null;
  evalue?: string | null;
  cell?: number | null;
  line?: number | null;
  summary?: string | null;
  remedy?: string | null;
  traceback?: unknown;
  code?: string | null;
  steps?: string[];
  executed?: string | null;
  log?: string | null;
  began?: boolean;
}

/** An attempt is about to begin, in its own kernel or in that of the attempt ``kernel``. */
export interface AttemptStarted {
  inputs?: Record<string, Source | null>;
  kernel?: [string, string, number] | null;
}

/** A cell has ended. */
export interface CellFinished {
  n?: number;
  cell: number;
  duration?: number;
  ok?: boolean;
}

/** A cell printed or displayed something; the text is in the attempt's log. */
export interface CellOutput {
  n?: number;
  cell: number | null;
  kind: 'display' | 'error' | 'result' | 'stream';
  name?: string | null;
  offset?: number | null;
  length?: number | null;
  mime?: string[] | null;
}

/** A cell executes: its index in the notebook, and its position among those of the step. */
export interface CellStarted {
  n?: number;
  cell: number;
  position?: number;
  total?: number | null;
}

/** A driver has begun. */
export interface DriverStarted {
  pid: number;
  host?: string;
}

/** The event's step depends on another, which only a run showed; ``learned``: an earlier one. */
export interface EdgeAdded {
  source: string;
  target: string;
  names: string[];
  files: string[];
  source_index?: string | null;
  target_index?: string | null;
  why?: string;
  learned?: boolean;
}

/** These steps share a kernel, for the reason ``why``; groups that share a member are one. */
export interface GroupFormed {
  id: string;
  members: [string, string][];
  why?: string;
}

/** The kernel of a group has ended; the event's attempt is the one that had started it. */
export interface KernelEnded {
  reason?: string;
}

/** A number was logged; ``step`` is that of a training loop, ``at`` when it was logged. */
export interface MetricLogged {
  n?: number;
  name: string;
  value: number | string | boolean | null;
  step?: number | string | null;
  at?: number | null;
}

/** A published name: how its value looks, and where it is; it may be only ``in_kernel``. */
export interface OutputData {
  bundle?: string | null;
  hash?: string | null;
  changed?: boolean;
  absent?: boolean;
  in_kernel?: boolean;
  type?: string | null;
  shape?: unknown[] | null;
  size?: number | null;
  repr?: string | null;
}

/** What the attempt uses: CPU seconds so far, bytes of memory now. */
export interface ResourceSampled {
  n?: number;
  cpu_seconds?: number | null;
  memory?: number | null;
  threads?: number | null;
}

/** The run was stopped, and all of its attempts have ended. */
export interface RunCancelled {
  reason?: string;
}

/** The run exists. ``options`` are those of the call, ``facts`` what its target notes. */
export interface RunCreated {
  settings: Settings;
  id?: string;
  name?: string;
  notebook?: string | null;
  target?: string;
  kernel?: string;
  parameters?: Record<string, unknown>;
  options?: Record<string, unknown>;
  facts?: Record<string, unknown>;
  created?: number | null;
}

/** The first step that failed, and why. */
export interface RunError {
  class: 'cancelled' | 'configuration' | 'disk' | 'infrastructure' | 'memory' | 'timeout' | 'user';
  ename?: string | null;
  evalue?: string | null;
  cell?: number | null;
  line?: number | null;
  summary?: string | null;
  remedy?: string | null;
  traceback?: unknown;
  code?: string | null;
  steps?: string[];
  executed?: string | null;
  log?: string | null;
  step?: string;
}

/** Nothing is left to do. */
export interface RunFinished {
  status: 'failed' | 'succeeded';
  error?: RunError | null;
}

/** A person resumed the run; ``settings`` has the fields that differ from now on. */
export interface RunResumed {
  settings?: Record<string, unknown>;
  request?: string;
}

/** What holds for a run as a whole; steps override ``retries``, ``timeout`` and ``cache``. */
export interface Settings {
  parallel?: number;
  retries?: number | null;
  timeout?: number | null;
  timeout_grace?: number;
  backoff?: number;
  backoff_cap?: number;
  infrastructure_retries?: number;
  on_failure?: 'finish' | 'stop';
  on_mutation?: 'fail' | 'warn';
  cache?: boolean;
  overwrite_files?: boolean;
  force?: string[];
}

/** The execution that a value comes from: [step, index, round] in JSON. */
export type Source = [string, string, number];

/** An earlier result was used. Metrics are [time, name, value, step of a training loop]. */
export interface StepCached {
  outputs: Record<string, OutputData>;
  manifest?: string | null;
  aliases?: string[][];
  unexpected?: Record<string, string>;
  files_written?: Record<string, string | null>;
  files_read?: Record<string, string | null>;
  files_looked?: Record<string, boolean>;
  duration?: number | null;
  state?: Record<string, string[]>;
  kernel_lives?: boolean;
  inputs: Record<string, Source | null>;
  key?: string | null;
  why?: string | null;
  metrics?: unknown[][];
  from?: string | null;
}

/** A stop kept the step from executing, or from going on. */
export interface StepCancelled {
  reason: string;
  because?: string | null;
}

/** A mapped step has this many instances. */
export interface StepExpanded {
  items: number;
}

/** The step has failed; ``stale``: its result was made from a value that was too old. */
export interface StepFailed {
  class: 'cancelled' | 'configuration' | 'disk' | 'infrastructure' | 'memory' | 'timeout' | 'user';
  ename?: string | null;
  evalue?: string | null;
  cell?: number | null;
  line?: number | null;
  summary?: string | null;
  remedy?: string | null;
  traceback?: unknown;
  code?: string | null;
  steps?: string[];
  executed?: string | null;
  log?: string | null;
  attempts?: number;
  stale?: boolean;
}

/** The target used something old, or its ``group`` needs a new kernel: ``voids`` begin anew. */
export interface StepInvalidated {
  target: [string, string];
  because: string;
  remedy?: string;
  voids: [string, string, number][];
  edge?: EdgeAdded | null;
  group?: string;
}

/** The step must execute, with these inputs; ``why`` no earlier result was used. */
export interface StepReady {
  inputs: Record<string, Source | null>;
  key?: string | null;
  why?: string | null;
}

/** The step will not execute, because of another one. */
export interface StepSkipped {
  reason: string;
  because?: string | null;
}

/** An attempt published its manifest; ``kernel_lives``: its kernel executes the next step. */
export interface StepSucceeded {
  outputs: Record<string, OutputData>;
  manifest?: string | null;
  aliases?: string[][];
  unexpected?: Record<string, string>;
  files_written?: Record<string, string | null>;
  files_read?: Record<string, string | null>;
  files_looked?: Record<string, boolean>;
  duration?: number | null;
  state?: Record<string, string[]>;
  kernel_lives?: boolean;
}

/** A person asked for the end of the run; ``request`` names the request in a remote store. */
export interface StopRequested {
  by?: string;
  request?: string;
}

/** A sweep asked for a trial, whose number is the event's index. */
export interface TrialAsked {
  parameters: Record<string, unknown>;
}

/** A diagnostic of the run, a step or an attempt. */
export interface Warning {
  n?: number;
  message: string;
  code?: string | null;
  remedy?: string | null;
  steps?: string[];
}

interface Envelope {
  v: number;
  seq: number;
  time: number;
  run: string;
  step: string | null;
  index?: string;
  round?: number;
  attempt: number | null;
}

export type RunEvent = Envelope &
  (
    | { type: 'RunCreated'; data: RunCreated }
    | { type: 'DriverStarted'; data: DriverStarted }
    | { type: 'RunResumed'; data: RunResumed }
    | { type: 'StopRequested'; data: StopRequested }
    | { type: 'StepReady'; data: StepReady }
    | { type: 'StepCached'; data: StepCached }
    | { type: 'AttemptStarted'; data: AttemptStarted }
    | { type: 'KernelEnded'; data: KernelEnded }
    | { type: 'CellStarted'; data: CellStarted }
    | { type: 'CellFinished'; data: CellFinished }
    | { type: 'CellOutput'; data: CellOutput }
    | { type: 'MetricLogged'; data: MetricLogged }
    | { type: 'ResourceSampled'; data: ResourceSampled }
    | { type: 'Warning'; data: Warning }
    | { type: 'EdgeAdded'; data: EdgeAdded }
    | { type: 'StepInvalidated'; data: StepInvalidated }
    | { type: 'GroupFormed'; data: GroupFormed }
    | { type: 'StepExpanded'; data: StepExpanded }
    | { type: 'TrialAsked'; data: TrialAsked }
    | { type: 'AttemptFailed'; data: AttemptFailed }
    | { type: 'StepSucceeded'; data: StepSucceeded }
    | { type: 'StepFailed'; data: StepFailed }
    | { type: 'StepSkipped'; data: StepSkipped }
    | { type: 'StepCancelled'; data: StepCancelled }
    | { type: 'RunFinished'; data: RunFinished }
    | { type: 'RunCancelled'; data: RunCancelled }
  );
