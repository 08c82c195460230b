// Preloaded into the tools: an attempt to leave this machine ends the process.
import dns from 'node:dns';
import net from 'node:net';

/** Exit code of a process that tried. */
const CODE = 97;
const HERE = /^(?:127(?:\.\d+){3}|::1|localhost)$/;

function refuse(target) {
  process.stderr.write(`offline: ${target}\n`);
  process.exit(CODE);
}

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function connectHere(...args) {
  const [first, second] = Array.isArray(args[0]) ? args[0] : args;
  const options = typeof first === 'object' ? first : { host: typeof second === 'string' ? second : 'localhost' };
  const host = options.host ?? 'localhost';
  if (options.path === undefined && !HERE.test(host)) refuse(host);
  return connect.apply(this, args);
};

for (const api of [dns, dns.promises]) {
  for (const name of Object.keys(api)) {
    if (!/^(?:lookup|resolve)/.test(name) || typeof api[name] !== 'function') continue;
    const original = api[name];
    api[name] = (host, ...rest) => (HERE.test(host) ? original(host, ...rest) : refuse(host));
  }
}
