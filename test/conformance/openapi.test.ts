import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startServer, type TestServer } from '../harness/server.ts';
import { FLOWS } from '../rest-compat/contract/flows.ts';
import { startIpInfo } from '../rest-compat/contract/ipinfo.ts';
import { INTRO, replay, SAMPLES as OPERATIONS, sampleOf, shell } from '../rest-compat/contract/replay.ts';
import { awayFromMidnight, SAMPLES, seedSamples } from '../rest-compat/contract/samples.ts';
import { differences } from '../rest-compat/contract/shape.ts';
import { Visit } from '../rest-compat/contract/suite.ts';
import { installed, LEFT_THE_MACHINE, runTool, startPrism, type Prism } from './openapi/tools.ts';

const ROOT = path.join(import.meta.dirname, '../..');

let server: TestServer;
let folder: string;
/** The document as the server serves it. */
let file: string;

beforeAll(async () => {
  await awayFromMidnight();
  folder = await mkdtemp(path.join(tmpdir(), 'passerelle-contract-'));
  const dataDir = path.join(folder, 'data');
  await seedSamples(dataDir);
  server = await startServer({ dataDir, env: { PUBLIC_URL: 'https://prx.lv' } });
  file = path.join(folder, 'openapi.json');
  const { text } = await replay('curl "https://prx.lv/openapi.json"', { base: server.ready.http });
  await writeFile(file, text);
}, 240_000);

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('the served document', () => {
  it('passes all rules that Redocly recommends', { timeout: 60_000 }, async () => {
    expect(await readFile(path.join(ROOT, '.redocly.yaml'), 'utf8')).toBe('extends:\n  - recommended\n');
    const args = ['lint', file, '--config', '.redocly.yaml', '--format', 'json'];
    const { code, stdout, stderr } = await runTool(installed('@redocly/cli/bin/cli.js'), args);
    const found = JSON.parse(stdout) as { totals: object; problems: readonly unknown[] };
    expect(found.problems, stderr).toEqual([]);
    expect(found.totals).toEqual({ errors: 0, warnings: 0, ignored: 0 });
    expect(code).toBe(0);
  });

  it('passes all rules of Spectral for OpenAPI, hints included', { timeout: 60_000 }, async () => {
    expect(await readFile(path.join(ROOT, '.spectral.yaml'), 'utf8')).toBe('extends:\n  - spectral:oas\n');
    const args = [
      'lint',
      file,
      '--ruleset',
      '.spectral.yaml',
      '--fail-severity',
      'hint',
      '--format',
      'json',
      '--quiet',
    ];
    const { code, stdout, stderr } = await runTool(installed('@stoplight/spectral-cli/dist/index.js'), args);
    expect(JSON.parse(stdout), stderr).toEqual([]);
    expect(code).toBe(0);
  });

  it('is judged by tools that cannot leave this machine', async () => {
    const script = path.join(folder, 'leave.mjs');
    await writeFile(script, `await fetch('http://192.0.2.1/').catch(() => {});`);
    const { code, stderr } = await runTool(script, []);
    expect(stderr).toBe('offline: 192.0.2.1\n');
    expect(code).toBe(LEFT_THE_MACHINE);
  });
});

describe('the documented calls', () => {
  it('are all replayed', () => {
    const visited = FLOWS.flatMap(({ routes }) => routes);
    expect([...new Set(visited)].toSorted()).toEqual(OPERATIONS.map(({ route }) => route).toSorted());
  });

  it.each(FLOWS)('by curl: $title', async ({ routes, run }) => {
    const visit = new Visit({ base: server.ready.http, server });
    await run(visit);
    expect([...visit.visited].toSorted()).toEqual([...routes].toSorted());
  });

  it('of the introduction', async () => {
    const [me, usage] = INTRO;
    const own = { base: server.ready.http, credential: SAMPLES.prod };
    const viewer = await replay(me?.curl ?? '', own);
    expect(differences(me?.response, viewer.json, ['permissions'])).toEqual([]);
    expect(viewer.json).toMatchObject({ user: { id: 1, balance: 150 }, role: 'user' });
    const remaining = await replay(usage?.curl ?? '', { ...own, credential: SAMPLES.card });
    expect(remaining.json).toEqual(usage?.response);
    expect(remaining.text).toBe('{"remaining":42.5}');
  });

  it.each(INTRO.filter(({ response }) => response === undefined))('through the proxy: $curl', async ({ curl }) => {
    await using ipinfo = await startIpInfo();
    const { socksShared, socksDedicated } = server.ready;
    const line = curl
      .replace('VOTRE_CLE_API', SAMPLES.premium)
      .replace('mut.prx.lv:1080', socksShared)
      .replace('ded.prx.lv:1081', socksDedicated);
    expect(line).not.toContain('prx.lv');
    expect(await shell(`${line} ${ipinfo.curlOptions} --silent --show-error --max-time 30`)).toBe('127.0.0.1');
  });
});

describe('behind Prism, which lets through only what fits the document', () => {
  let prism: Prism;
  beforeAll(async () => void (prism = await startPrism(file, server.ready.http)));
  afterAll(() => prism[Symbol.asyncDispose]());

  it.each(FLOWS)('$title', async ({ run }) => {
    await run(new Visit({ base: prism.base, server, mocks501: true }));
  });

  it('a request that does not fit is not let through', async () => {
    const { curl } = sampleOf('POST /keys');
    const answer = await replay(curl, { base: prism.base, credential: SAMPLES.card, body: { name: 1 } });
    expect(answer.status).toBe(422);
    expect(answer.json).toMatchObject({ validation: [{ location: ['body', 'name'] }] });
  });

  it('an answer that does not fit a document is found', { timeout: 60_000 }, async () => {
    const text = await readFile(file, 'utf8');
    const broken = text.replace('"remaining":{"type":"number"}', '"remaining":{"type":"string"}');
    expect(broken).not.toBe(text);
    const brokenFile = path.join(folder, 'broken.json');
    await writeFile(brokenFile, broken);
    await using strict = await startPrism(brokenFile, server.ready.http);
    const answer = await replay(sampleOf('GET /usage').curl, { base: strict.base, credential: SAMPLES.card });
    expect(answer.status).toBe(500);
    expect(answer.json).toMatchObject({ validation: [{ location: ['response', 'body', 'remaining'] }] });
  });
});
