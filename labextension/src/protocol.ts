/** The traits and messages of a view, as kfnb/live/protocol.py and request_types.py declare them. */

export type Json =
  null | boolean | number | string | Json[] | { [key: string]: Json };

export type StepStatus =
  | 'pending'
  | 'running'
  | 'succeeded'
  | 'cached'
  | 'failed'
  | 'skipped'
  | 'cancelled';

export type RunStatus =
  'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled';

export type Tab =
  'dag' | 'table' | 'metrics' | 'logs' | 'outputs' | 'runs' | 'compare';

/** What every message has besides its kind; an answer has the `re` of its request. */
export interface Envelope {
  /** The channel, where one connection carries several. */
  readonly ch?: string;
  readonly re?: number | string;
}

/** A cell of the notebook, or a line of it, as a person sees it. */
export interface Location {
  /** Index in the notebook: counts markdown cells, from 0, so it is never shown. */
  readonly cell: number;
  readonly id: string;
  readonly execution_count: number | null;
  /** From 1. */
  readonly line: number | null;
  /** The line, or the cell's first one where `line` is null. */
  readonly text: string;
}

export interface GraphNode {
  readonly id: string;
  readonly name: string;
  readonly cells: readonly Location[];
  readonly after: readonly string[];
  readonly options: { readonly [name: string]: Json };
  /** Name of an input to the name of the step that makes it. */
  readonly inputs: { readonly [name: string]: string };
  readonly outputs: readonly string[];
  readonly parameters: readonly string[];
  readonly on_exit: boolean;
}

export interface GraphEdge {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly names: readonly string[];
  readonly files: readonly string[];
  readonly explicit: boolean;
  /** Not in the notebook; the run added it. */
  readonly found: boolean;
  readonly why: string;
}

export interface Diagnostic {
  readonly code: string;
  readonly severity: 'error' | 'warning' | 'hint';
  readonly message: string;
  readonly remedy: string;
  readonly step: string | null;
  readonly location: Location | null;
}

/** A claim or an empty folder that every step has. */
export interface Volume {
  readonly name: string;
  readonly mount: string;
  readonly claim: string | null;
  readonly size: string | null;
}

export interface GraphParameter {
  readonly name: string;
  readonly type: string;
  readonly default: Json;
}

export interface Graph {
  readonly name: string;
  readonly notebook: string | null;
  /** Those of every step that sets none of its own. */
  readonly options: { readonly [name: string]: Json };
  readonly parameters: readonly GraphParameter[];
  readonly volumes: readonly Volume[];
  readonly dot: string;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly diagnostics: readonly Diagnostic[];
}

export interface RunInfo {
  readonly id: string;
  /** The name that a person gave the run; empty if nobody did. */
  readonly title: string;
  readonly notebook: string | null;
  readonly target: string;
  readonly parameters: { readonly [name: string]: Json };
  /** Seconds since the epoch, as all times. */
  readonly created: number;
}

export interface StepError {
  readonly ename: string | null;
  readonly evalue: string | null;
  readonly location: Location | null;
  readonly summary: string;
  readonly remedy: string | null;
  readonly class: string | null;
}

export interface StepOutput {
  readonly name: string;
  readonly type: string | null;
  readonly shape: Json;
  readonly size: number | null;
  readonly repr: string | null;
}

export interface StepState {
  readonly step: string;
  /** Empty for a step; a number for one of its instances. */
  readonly index: string;
  /** How often the step was begun anew. */
  readonly round: number;
  /** Why it was begun anew; empty in the first round. */
  readonly again: string;
  readonly status: StepStatus;
  readonly attempts: number;
  readonly why: string | null;
  readonly reason: string | null;
  readonly cells_done: number;
  readonly cells_total: number | null;
  /** The cell that executes now. */
  readonly location: Location | null;
  readonly started: number | null;
  readonly finished: number | null;
  readonly duration: number | null;
  readonly retry_at: number | null;
  readonly error: StepError | null;
  readonly outputs: readonly StepOutput[];
  /** Path of the executed notebook from the server's root; null if the server does not show it. */
  readonly notebook: string | null;
  readonly resources: { readonly [name: string]: Json } | null;
}

/** A finding of the run, which reading the notebook could not make. */
export interface RunWarning {
  readonly code?: string;
  readonly message: string;
  readonly remedy?: string;
  readonly step?: string | null;
  readonly index?: string;
}

export type StepStates = { readonly [id: string]: StepState };

/** Time, step of a training loop, value; values without a JSON form are text ("nan", "inf"). */
export type Point = readonly [
  time: number,
  step: number | null,
  value: number | string | null
];

export interface Series {
  readonly run: string;
  readonly title: string;
  readonly step: string;
  readonly index: string;
  readonly name: string;
  readonly points: readonly Point[];
}

export interface State {
  readonly seq: number;
  readonly at: number;
  readonly status: RunStatus;
  /** "alive", "ended" or "lost since …". */
  readonly driver: string;
  readonly error: string | null;
  /** Seconds between an end and a resume, in which the run had no driver. */
  readonly paused: number;
  /** When the run ended; null while it goes on. */
  readonly finished: number | null;
  readonly steps: StepStates;
  readonly metrics: readonly Series[];
  readonly warnings: readonly RunWarning[];
}

export interface Ui {
  readonly tab: Tab;
  readonly only: boolean;
  readonly selected: string | null;
  readonly compare: readonly string[];
  readonly height: number | null;
  readonly ansi: boolean;
}

// kernel → page

export interface StateMessage {
  readonly kind: 'state';
  readonly seq: number;
  readonly at: number;
  readonly status: RunStatus;
  readonly driver: string;
  readonly error: string | null;
  readonly paused: number;
  readonly finished: number | null;
  readonly steps: StepStates;
  readonly edges?: readonly GraphEdge[];
  readonly dot?: string;
  readonly warnings?: readonly RunWarning[];
}

export interface MetricsMessage {
  readonly kind: 'metrics';
  readonly points: readonly Series[];
  /** Whether these are all points; otherwise they follow those sent before. */
  readonly reset?: boolean;
}

export interface LogMessage {
  readonly kind: 'log';
  readonly step: string;
  readonly index: string;
  readonly attempt: number;
  readonly from: number;
  readonly to: number;
  readonly total: number;
  readonly text: string;
  readonly reset: boolean;
  readonly attempts: readonly number[];
}

export interface CellOutputs {
  readonly location: Location;
  readonly source: string;
  /** As in the notebook's format. */
  readonly outputs: readonly { readonly [key: string]: Json }[];
}

export interface OutputsMessage {
  readonly kind: 'outputs';
  readonly step: string;
  readonly index: string;
  readonly attempt: number;
  readonly cells: readonly CellOutputs[];
}

/** The executed notebook of a step, for a page that cannot open the file. */
export interface NotebookMessage {
  readonly kind: 'notebook';
  readonly step: string;
  readonly index: string;
  readonly attempt: number;
  readonly name: string;
  readonly text: string;
}

export interface ComparedRun {
  readonly id: string;
  readonly title: string;
  readonly status: RunStatus;
  readonly created: number;
  readonly duration: number | null;
  readonly parameters: { readonly [name: string]: Json };
  readonly metrics: { readonly [name: string]: Json };
  readonly steps: {
    readonly [name: string]: {
      readonly status: StepStatus;
      readonly duration: number | null;
    };
  };
}

/** A line of code of two runs beside each other; `gap` stands for equal lines left out. */
export interface CodeLine {
  readonly left: string | null;
  readonly right: string | null;
  readonly kind: 'equal' | 'changed' | 'gap';
}

export interface CodeDifference {
  /** Empty for code that belongs to no step. */
  readonly step: string;
  readonly lines: readonly CodeLine[];
}

export interface CompareMessage {
  readonly kind: 'compare';
  readonly runs: readonly ComparedRun[];
  /** Compares the first two runs. */
  readonly code: readonly CodeDifference[];
}

/** A run in the list of those that can be chosen. */
export interface ListedRun {
  readonly id: string;
  readonly title: string;
  readonly notebook: string | null;
  readonly status: RunStatus | 'unreadable';
  readonly created: number;
  readonly duration: number | null;
  readonly parameters: { readonly [name: string]: Json };
  readonly metrics: { readonly [name: string]: Json };
}

export interface RunsMessage {
  readonly kind: 'runs';
  readonly runs: readonly ListedRun[];
  /** The number of older runs that are not listed. */
  readonly more: number;
}

/** What an attempt of a step used over time. */
export interface ResourcesMessage {
  readonly kind: 'resources';
  readonly step: string;
  readonly index: string;
  readonly attempt: number;
  readonly samples: readonly (readonly [
    time: number,
    cpuSeconds: number | null,
    memory: number | null
  ])[];
  /** The requests that would have been enough, as tags have them. */
  readonly cpu: string | null;
  readonly memory: string | null;
}

/** The answer to a command. */
export interface NoticeMessage {
  readonly kind: 'notice';
  readonly text: string;
  readonly level: 'info' | 'warning' | 'error';
}

export type FromKernel =
  | StateMessage
  | MetricsMessage
  | LogMessage
  | OutputsMessage
  | NotebookMessage
  | CompareMessage
  | RunsMessage
  | ResourcesMessage
  | NoticeMessage;

// page → kernel

export type ToKernel =
  | { readonly kind: 'hello'; readonly have: boolean }
  | { readonly kind: 'layout-script' }
  | {
      readonly kind: 'follow-log';
      readonly step: string;
      readonly index: string;
      readonly attempt: number | null;
      readonly from: number;
    }
  | {
      readonly kind: 'unfollow-log';
      readonly step: string;
      readonly index: string;
    }
  | {
      readonly kind: 'outputs';
      readonly step: string;
      readonly index: string;
      readonly attempt: number | null;
    }
  | {
      readonly kind: 'notebook';
      readonly step: string;
      readonly index: string;
      readonly attempt: number | null;
    }
  | {
      readonly kind: 'resources';
      readonly step: string;
      readonly index: string;
    }
  | { readonly kind: 'metrics'; readonly runs: readonly string[] | null }
  | { readonly kind: 'compare'; readonly runs: readonly string[] }
  | { readonly kind: 'runs'; readonly all: boolean }
  | {
      readonly kind: 'command';
      readonly name: 'stop' | 'resume' | 'run-again';
    }
  | { readonly kind: 'select'; readonly id: string | null };
