import type { Direction, MeterSession } from '../metering/session.ts';

/** Spent and not delivered. What was accepted is read first: it only grows, and so does the difference seen. */
export function unaccepted({ cells, slot }: MeterSession, direction: Direction): number {
  const accepted = (direction === 'up' ? cells.acceptedUp : cells.acceptedDown)[slot] ?? 0;
  return Math.max(0, (cells[direction][slot] ?? 0) - accepted);
}

/** Refunds what was never delivered, when the worker touches the cells no more. @returns how many bytes it was */
export function giveBack(session: MeterSession): number {
  let sum = 0;
  for (const direction of ['up', 'down'] as const) {
    const lost = unaccepted(session, direction);
    if (lost > 0) session.refund(direction, lost);
    sum += lost;
  }
  return sum;
}
