/** What the selected step used: CPU and memory over time, with the requests for it. */

import type { Context } from '../context';
import { fill, h, s } from '../dom';
import { bytes, duration } from '../format';
import type { ResourcesMessage, StepState } from '../protocol';

const [WIDTH, HEIGHT] = [250, 44];
/** Milliseconds between two requests while the step is running. */
const PAUSE = 5000;

type Curve = readonly (readonly [time: number, value: number])[];

export class Resources {
  readonly node = h('div', { class: 'kfnb-detail-part', hidden: true });

  constructor(private readonly context: Context) {}

  /** Shows a step; asks the kernel if it may know something new. */
  show(step: string, state: StepState | null): void {
    const stamp = JSON.stringify([step, state?.attempts, state?.status]);
    const late = Date.now() - this.askedAt > PAUSE;
    if (step !== this.step) {
      this.step = step;
      this.draw(null);
    }
    if (state?.resources && (stamp !== this.stamp || late)) {
      this.stamp = stamp;
      this.askedAt = Date.now();
      this.context.post({ kind: 'resources', step, index: '' });
    }
  }

  take(message: ResourcesMessage): void {
    if (message.step === this.step && message.index === '') {
      this.draw(message);
    }
  }

  private draw(message: ResourcesMessage | null): void {
    const { trans } = this.context;
    const samples = message?.samples ?? [];
    const memory: Curve = samples.flatMap(([time, , used]) =>
      used === null ? [] : [[time, used] as const]
    );
    const cpu: Curve = samples.flatMap(([time, now], n) => {
      const [before, then] = samples[n - 1] ?? [time, null];
      return now === null || then === null || time <= before
        ? []
        : [[time, Math.max(0, (now - then) / (time - before))] as const];
    });
    this.node.hidden = memory.length < 2 && cpu.length < 2;
    const cores = message?.cpu ? Number(message.cpu) : null;
    const tags = [
      message?.cpu && `cpu:${message.cpu}`,
      message?.memory && `memory:${message.memory}`
    ].filter(Boolean);
    fill(
      this.node,
      h('h4', {}, trans('CPU and memory')),
      cpu.length > 1 &&
        this.curve(trans('Cores'), cpu, cores, value => value.toFixed(1)),
      memory.length > 1 &&
        this.curve(trans('Memory'), memory, size(message?.memory), bytes),
      h(
        'p',
        { class: 'kfnb-quiet' },
        tags.length
          ? `${trans('Tags that request what the dashed lines show:')} ${tags.join(' ')}`
          : ''
      )
    );
  }

  private curve(
    title: string,
    points: Curve,
    request: number | null,
    text: (value: number) => string
  ): HTMLElement {
    const { trans } = this.context;
    const times = points.map(([time]) => time);
    const [first, last] = [Math.min(...times), Math.max(...times)];
    const most = Math.max(...points.map(([, value]) => value));
    const x = (time: number): number =>
      ((time - first) / (last - first || 1)) * WIDTH;
    const top = Math.max(most, request ?? 0) || 1;
    const y = (value: number): number =>
      HEIGHT - 1 - (value / top) * (HEIGHT - 2);
    const line = points
      .map(([time, value]) => `${x(time).toFixed(1)} ${y(value).toFixed(1)}`)
      .join('L');
    const label = `${title}: ${trans('at most')} ${text(most)} ${trans('in')} ${duration(last - first)}`;
    return h(
      'figure',
      { class: 'kfnb-resource' },
      h('figcaption', {}, label),
      s(
        'svg',
        {
          viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
          preserveAspectRatio: 'none',
          role: 'img',
          'aria-label': label
        },
        s('path', {
          class: 'kfnb-resource-area',
          d: `M${x(first)} ${HEIGHT}L${line}L${x(last)} ${HEIGHT}z`
        }),
        s('path', { class: 'kfnb-resource-line', d: `M${line}` }),
        request !== null &&
          s('path', {
            class: 'kfnb-resource-request',
            d: `M0 ${y(request).toFixed(1)}H${WIDTH}`
          })
      )
    );
  }

  private step: string | null = null;
  private stamp = '';
  private askedAt = 0;
}

/** The bytes of a request as a tag has it, such as "1088Mi"; null if there is none. */
function size(request: string | null | undefined): number | null {
  const mebibytes = Number.parseFloat(request ?? '');
  return Number.isNaN(mebibytes) ? null : mebibytes * 2 ** 20;
}
