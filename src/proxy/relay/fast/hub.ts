import type { Descriptors } from './descriptors.ts';
import type { Flow, FlowTools } from './flow.ts';
import type { Report } from './messages.ts';
import type { Timers } from './timers.ts';

/** Which socket of a connection an event is about. */
export const CLIENT = 0;
export const TARGET = 1;
export type Side = typeof CLIENT | typeof TARGET;

/** What a connection needs of the worker around it. */
export interface Hub extends FlowTools {
  readonly descriptors: Descriptors;
  readonly timers: Timers;
  readonly idleTimeoutMs: number;
  /** Milliseconds of the worker's clock at the start of this turn. */
  readonly now: number;
  /** Wants the events of a socket, from now on and edge-triggered. @returns whether it will get them */
  watch(fd: number, id: number, side: Side): boolean;
  /** Gives a flow its turn, soon. */
  queue(flow: Flow): void;
  report(report: Report): void;
  /** Whether the key was good a moment ago, and its flags are right. */
  knows(username: string, product: number): boolean;
  learn(username: string, product: number): void;
  /** A tunnel begins. */
  relaying(): void;
  /** The connection is over. @param known whether the main thread has heard of it, and of a tunnel */
  closed(id: number, known: { readonly announced: boolean; readonly relayed: boolean }): void;
}
