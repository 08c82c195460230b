import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import reference from './reference.json' with { type: 'json' };

/** A documented operation: its curl line, and the JSON that the page shows. */
export interface Sample {
  readonly route: string;
  readonly curl: string;
  readonly request?: Readonly<Record<string, unknown>>;
  readonly response: unknown;
}

export const SAMPLES = reference.operations as readonly Sample[];
/** Samples before the operations; those through the proxy have no JSON. */
export const INTRO = reference.intro as readonly { readonly curl: string; readonly response?: unknown }[];

/** What stands for what in a documented curl line. Everything else of the line is used as it is. */
export interface RealValues {
  /** For `https://prx.lv`. */
  readonly base: string;
  /** For `VOTRE_CLE_API`. */
  readonly credential?: string;
  /** For `:id`. */
  readonly id?: number;
  /** For documented query parameters; undefined leaves one out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** For documented fields of the body. */
  readonly body?: Readonly<Record<string, unknown>>;
}

/** An HTTP answer, headers by names in lower case. */
export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
  readonly json: unknown;
}

/** The documented sample of `GET /keys`. @throws when the reference has none */
export function sampleOf(route: string): Sample {
  const found = SAMPLES.find((sample) => sample.route === route);
  if (found === undefined) throw new Error(`the reference has no ${route}`);
  return found;
}

/** The JSON that the page shows for an operation. */
export const documented = (route: string): unknown => sampleOf(route).response;

/** Runs a documented curl line in a shell, with real values for its placeholders. */
export async function replay(line: string, values: RealValues): Promise<Answer> {
  return parseAnswer(await shell(`${substitute(line, values)} --silent --show-error --include --max-time 30`));
}

/** Runs a command line in a shell. @returns what it printed */
export async function shell(command: string): Promise<string> {
  const env = { PATH: process.env['PATH'] };
  return (await promisify(execFile)('sh', ['-c', command], { env })).stdout;
}

/** @throws when a value has no place in the line, or a place has no value */
export function substitute(line: string, { base, credential, id, query, body }: RealValues): string {
  let text = put(line, 'https://prx.lv', base);
  if (credential !== undefined) text = put(text, 'VOTRE_CLE_API', credential);
  if (id !== undefined) text = put(text, '/:id', `/${id}`);
  for (const [name, value] of Object.entries(query ?? {})) {
    const part = new RegExp(String.raw`([?&])${name}=\w+(&?)`);
    if (!part.test(text)) throw new Error(`${line} has no parameter ${name}`);
    text = text.replace(part, value === undefined ? '$1' : `$1${name}=${encodeURIComponent(value)}$2`);
  }
  const [, rest = text, json] = /^([\s\S]*) -d '(.*)'$/.exec(text) ?? [];
  const left = /prx\.lv|VOTRE_CLE_API|:id\b|=example/.exec(rest.replace(base, ''));
  if (left !== null) throw new Error(`${left[0]} is left in ${text}`);
  return json === undefined ? rest : `${rest} -d '${fill(json, body ?? {})}'`;
}

function put(line: string, placeholder: string, value: string): string {
  if (!line.includes(placeholder)) throw new Error(`${line} has no ${placeholder}`);
  return line.replaceAll(placeholder, value);
}

function fill(json: string, values: Readonly<Record<string, unknown>>): string {
  const documented = JSON.parse(json) as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(values).filter((name) => !(name in documented));
  if (unknown.length > 0) throw new Error(`${json} has no ${unknown.join()}`);
  const left = Object.keys(documented).filter((name) => documented[name] === 'example' && !(name in values));
  if (left.length > 0) throw new Error(`${json} needs ${left.join()}`);
  return JSON.stringify({ ...documented, ...values }).replaceAll("'", String.raw`'\''`);
}

function parseAnswer(output: string): Answer {
  const end = output.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = output.slice(0, end).split('\r\n');
  const text = output.slice(end + 4);
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const isJson = /\bjson\b/.test(headers.get('content-type') ?? '');
  return {
    status: Number(statusLine.split(' ')[1]),
    headers,
    text,
    json: isJson ? (JSON.parse(text) as unknown) : null,
  };
}
