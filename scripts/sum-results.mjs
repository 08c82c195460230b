// Sums vitest's JSON reports into one line; exit 1 when anything failed, was skipped, or ran no test.
import { readFileSync } from 'node:fs';

const sum = { passed: 0, failed: 0, skipped: 0 };
for (const file of process.argv.slice(2)) {
  const report = JSON.parse(readFileSync(file, 'utf8'));
  // A file that does not load fails without a test of its own.
  const broken = report.testResults.filter((suite) => suite.status === 'failed' && suite.assertionResults.length === 0);
  const skipped = report.testResults
    .flatMap((suite) => suite.assertionResults)
    .filter((test) => isSkipped(test.status));
  for (const { name, message } of broken) console.log(`did not load: ${name}: ${message}`);
  for (const { fullName } of skipped) console.log(`skipped: ${fullName}`);
  sum.passed += report.numPassedTests;
  sum.failed += report.numFailedTests + broken.length;
  sum.skipped += skipped.length;
}
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.passed > 0 && sum.failed === 0 && sum.skipped === 0 ? 0 : 1;

function isSkipped(status) {
  return status !== 'passed' && status !== 'failed';
}
