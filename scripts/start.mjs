// npm start: builds when needed, then becomes the server, so that signals and exit codes are its own.
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { ensureBuilt } from './build.mjs';
import { root } from './fingerprint.mjs';

await ensureBuilt();
await import(pathToFileURL(path.join(root, 'dist/src/main.js')));
