import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { run } from './run.ts';
import { freePort } from './upstreams.ts';

const SSHD = '/usr/sbin/sshd';
/** sshd refuses to start as root without it. Debian makes it where systemd or init start sshd; others use it too. */
const PRIVILEGE_SEPARATION = '/run/sshd';
const START_TIMEOUT_MS = 10_000;

export const hasSsh = [SSHD, '/usr/bin/ssh', '/usr/bin/ssh-keygen', '/usr/bin/ncat'].every((file) => existsSync(file));

/** A throw-away sshd on 127.0.0.1, into which the user of this process may log in, with a throw-away key. */
export interface SshServer extends AsyncDisposable {
  /** Runs a command there. @param proxyCommand how to get there; %h and %p are its address. @throws with ssh's complaint */
  execute(proxyCommand: string, command: string, input: Uint8Array): Promise<Buffer>;
}

export async function startSshServer(): Promise<SshServer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'passerelle-sshd-'));
  const at = (name: string): string => path.join(folder, name);
  const port = await freePort();
  for (const name of ['host', 'id'])
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', at(name)]);
  await copyFile(at('id.pub'), at('authorized'));
  await writeFile(at('known'), `[127.0.0.1]:${port} ${String(await run('ssh-keygen', ['-y', '-f', at('host')]))}`);
  await writeFile(at('config'), configuration(port, at('host'), at('authorized')));
  if (userInfo().uid === 0) await mkdir(PRIVILEGE_SEPARATION, { recursive: true });
  const child = spawn(SSHD, ['-D', '-e', '-f', at('config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  const endWithUs = (): void => void child.kill();
  process.once('exit', endWithUs);
  const gone = once(child, 'exit');
  const server: SshServer = {
    execute: (proxyCommand, command, input) =>
      run(
        'ssh',
        [...clientOptions(at('id'), at('known'), proxyCommand), '-p', String(port), '127.0.0.1', command],
        input,
      ),
    async [Symbol.asyncDispose]() {
      process.off('exit', endWithUs);
      child.kill();
      await gone;
      await rm(folder, { recursive: true });
    },
  };
  try {
    await untilListening(child.stderr);
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** Without PAM, which a user other than root could not use. */
function configuration(port: number, hostKey: string, authorized: string): string {
  return [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${authorized}`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    '',
  ].join('\n');
}

function clientOptions(identity: string, known: string, proxyCommand: string): string[] {
  const settings = [
    'BatchMode=yes',
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${known}`,
    `ProxyCommand=${proxyCommand}`,
  ];
  return ['-F', 'none', '-i', identity, ...settings.flatMap((setting) => ['-o', setting])];
}

/** @throws with what sshd said when it ends, or says nothing in time */
async function untilListening(stderr: NodeJS.ReadableStream): Promise<void> {
  const said: string[] = [];
  const lines = createInterface({ input: stderr });
  const timer = setTimeout(() => lines.close(), START_TIMEOUT_MS);
  try {
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        said.push(line);
        if (line.startsWith('Server listening')) resolve();
      });
      lines.on('close', () => reject(new Error(`sshd did not start: ${said.join('\n')}`)));
    });
  } finally {
    clearTimeout(timer);
  }
}
