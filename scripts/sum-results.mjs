// Sums vitest's JSON reports into one line, after a list of what failed or was skipped and of the slowest files;
// exit 1 when anything failed, was skipped, or ran no test.
import { readFileSync } from 'node:fs';
import path from 'node:path';

const SLOWEST = 12;
/** Lines of a failure's message that are shown: what was expected, and where. */
const MESSAGE_LINES = 12;

const sum = { passed: 0, failed: 0, skipped: 0 };
const files = [];
for (const file of process.argv.slice(2)) {
  const report = JSON.parse(readFileSync(file, 'utf8'));
  const run = path.basename(file, '.json').replace(/^results-/, '');
  // A file that does not load fails without a test of its own.
  const broken = report.testResults.filter((suite) => suite.status === 'failed' && suite.assertionResults.length === 0);
  for (const { name, message } of broken) console.log(`did not load (${run}): ${shown(name)}\n${indented(message)}`);
  for (const suite of report.testResults) {
    for (const { status, fullName, failureMessages } of suite.assertionResults) {
      const where = `(${run}): ${shown(suite.name)}: ${fullName}`;
      if (status === 'failed') console.log(`failed ${where}\n${indented(failureMessages.join('\n'))}`);
      else if (status !== 'passed') {
        console.log(`skipped ${where}`);
        sum.skipped += 1;
      }
    }
    files.push({ run, name: shown(suite.name), seconds: (suite.endTime - suite.startTime) / 1_000 });
  }
  sum.passed += report.numPassedTests;
  sum.failed += report.numFailedTests + broken.length;
}
files.sort((one, other) => other.seconds - one.seconds);
console.log('slowest files:');
for (const { run, name, seconds } of files.slice(0, SLOWEST)) console.log(`  ${seconds.toFixed(1)} s ${name} (${run})`);
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.passed > 0 && sum.failed === 0 && sum.skipped === 0 ? 0 : 1;

function shown(name) {
  return path.relative(process.cwd(), name);
}

function indented(message) {
  return message
    .split('\n')
    .slice(0, MESSAGE_LINES)
    .map((line) => `    ${line}`)
    .join('\n');
}
