import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A process that answers one command at a time. */
export interface Child<Command> extends AsyncDisposable {
  /** @throws when the process ends, or when it cannot carry the command out */
  ask<Answer>(command: Command): Promise<Answer>;
}

type Reply = { readonly answer: unknown } | { readonly error: string };

/** Starts the file of that name in a process of its own: none takes descriptors or time of the others. */
export function startChild<Command extends object>(role: 'target' | 'swarm' | 'strangers'): Child<Command> {
  const file = fileURLToPath(new URL(`${role}.ts`, import.meta.url));
  const child = fork(file, [], { execArgv: ['--import', 'tsx'] });
  const gone = once(child, 'exit');
  return {
    async ask<Answer>(command: Command): Promise<Answer> {
      const reply = new Promise<Reply>((resolve) => child.once('message', (message) => resolve(message as Reply)));
      child.send(command);
      const first = await Promise.race([reply, gone.then(() => ({ error: `the ${role} process ended` }))]);
      if ('error' in first) throw new Error(first.error);
      return first.answer as Answer;
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await gone;
    },
  };
}

/** In such a process: carries out every command, until whoever started it goes. */
export function serveCommands(carryOut: (command: never) => unknown): void {
  process.on('disconnect', () => process.exit());
  process.on('message', (command) => {
    Promise.resolve(command as never)
      .then(carryOut)
      .then(
        (answer) => process.send?.({ answer } satisfies Reply),
        (error: unknown) => process.send?.({ error: String(error) } satisfies Reply),
      );
  });
}
