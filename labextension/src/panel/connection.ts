/** One WebSocket to the server for all notebooks and runs of a page; it connects again by itself. */

import type { Json } from '../protocol';

export interface Message {
  readonly ch: string;
  readonly kind: string;
  readonly re?: number | string;
  readonly [key: string]: unknown;
}

/** There is no server at all if it is `none`, as in JupyterLite. */
export type Reachable = 'connecting' | 'open' | 'lost' | 'absent' | 'none';

export const PROTOCOL = 1;
const LONGEST_PAUSE = 30_000;

export interface Channel {
  /** Sends the messages that open the channel; called again after the connection was lost. */
  open(): void;
  take(message: Message): void;
}

export class Connection {
  /** Whether messages can be sent now. */
  state: Reachable = 'connecting';
  /** The version of kfnb on the server; empty as long as it is unknown. */
  version = '';
  /** Whether the server has another version of kfnb than the page, or of the protocol. */
  differs = false;

  /**
   * @param make - opens a socket to the server; null where there is no server.
   */
  constructor(private readonly make: () => WebSocket | null) {}

  /** Called when the state changed. */
  onChange: () => void = () => undefined;

  connect(): void {
    if (this.socket) {
      return;
    }
    const socket = (this.socket = this.make());
    if (!socket) {
      this.change('none');
      return;
    }
    socket.onmessage = ({ data }) =>
      this.take(JSON.parse(String(data)) as Message);
    socket.onclose = () => {
      if (this.socket !== socket) {
        return;
      }
      this.socket = null;
      this.change(this.greeted ? 'lost' : 'absent');
      this.timer = setTimeout(() => this.connect(), this.pause);
      this.pause = Math.min(LONGEST_PAUSE, this.pause * 2);
    };
  }

  dispose(): void {
    clearTimeout(this.timer);
    const { socket } = this;
    this.socket = null;
    socket?.close();
  }

  /** Adds a channel; returns a function that closes it. */
  add(name: string, channel: Channel): () => void {
    this.channels.set(name, channel);
    if (this.state === 'open') {
      channel.open();
    }
    return () => {
      if (this.channels.get(name) === channel) {
        this.channels.delete(name);
        this.send(name, 'close');
      }
    };
  }

  /** Sends a message, unless there is no connection: then the channel is opened again later. */
  send(ch: string, kind: string, more: { [key: string]: Json } = {}): void {
    if (this.state === 'open') {
      this.socket?.send(JSON.stringify({ ch, kind, ...more }));
    }
  }

  private take(message: Message): void {
    if (message.kind === 'hello' && message.ch === '') {
      this.greeted = true;
      this.pause = 1000;
      this.version = String(message.version);
      this.differs =
        message.protocol !== PROTOCOL || this.version !== KFNB_VERSION;
      this.change('open');
      for (const channel of this.channels.values()) {
        channel.open();
      }
      return;
    }
    this.channels.get(message.ch)?.take(message);
  }

  private change(state: Reachable): void {
    this.state = state;
    this.onChange();
  }

  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private pause = 1000;
  private greeted = false;
  private readonly channels = new Map<string, Channel>();
}
