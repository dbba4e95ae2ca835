/** The newest runs of all notebooks, watched only while they are shown. */

import type { ListedRun } from '../protocol';
import type { Connection } from './connection';

const CHANNEL = 'runs';

export class AllRuns {
  runs: readonly ListedRun[] = [];
  /** Called when the list changed. */
  onChange: () => void = () => undefined;

  constructor(private readonly connection: Connection) {}

  /** Starts or stops watching; may be called again and again. */
  watch(on: boolean): void {
    if (on === (this.leave !== null)) {
      return;
    }
    if (!on) {
      this.leave?.();
      this.leave = null;
      return;
    }
    this.connection.connect();
    this.leave = this.connection.add(CHANNEL, {
      open: () => this.connection.send(CHANNEL, 'watch-runs'),
      take: message => {
        if (message.kind === 'runs') {
          this.runs = message.runs as readonly ListedRun[];
          this.onChange();
        }
      }
    });
  }

  private leave: (() => void) | null = null;
}
