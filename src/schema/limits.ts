import { windowState, type Meter, type WindowState } from '../resolvers/accounts/windows.ts';
import type { Window } from '../units.ts';
import { builder } from './builder.ts';

const LimitWindow = builder.objectRef<WindowState>('LimitWindow').implement({
  description: 'Spending in one UTC calendar window.',
  fields: (t) => ({
    limit: t.expose('limit', { type: 'Credits', nullable: true, description: 'null = no limit, 0 = blocked.' }),
    used: t.expose('used', { type: 'Credits', description: 'Spent since the window began, also without a limit.' }),
    remaining: t.expose('remaining', {
      type: 'Credits',
      nullable: true,
      description: 'Limit minus used, never negative; null exactly when there is no limit.',
    }),
    resetsAt: t.expose('resetsAt', { type: 'DateTime', description: 'When the window ends and `used` restarts at 0.' }),
  }),
});

/** The three windows of an account or a key. */
export const Limits = builder.objectRef<Meter>('Limits').implement({
  description: 'Spending limits, and what was spent under them, of an account or an API key.',
  fields: (t) => {
    const window = (name: Window, description: string) =>
      t.field({
        type: LimitWindow,
        description,
        resolve: (meter, _args, ctx) => windowState(meter, name, ctx.now()),
      });
    return {
      daily: window('DAY', 'The current day, from 00:00 UTC.'),
      weekly: window('WEEK', 'The current week, from Monday 00:00 UTC.'),
      monthly: window('MONTH', 'The current month, from the 1st 00:00 UTC.'),
    };
  },
});
