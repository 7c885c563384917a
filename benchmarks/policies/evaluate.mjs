// Asks another public evaluator of AWS policies what it says. It is run beside the tests, never shipped: node evaluate.mjs MODULES CASES
// MODULES is the node_modules folder that has @cloud-copilot/iam-simulate, CASES a file with one simulation a line. One result a line comes out.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [, , modules, cases] = process.argv;
const entry = pathToFileURL(`${modules}/@cloud-copilot/iam-simulate/dist/esm/index.js`).href;
const { runSimulation } = await import(entry);
for await (const line of createInterface({ input: createReadStream(cases) })) {
  const result = await runSimulation(JSON.parse(line), {});
  console.log(result.resultType === 'error' ? `Error ${JSON.stringify(result.errors)}` : result.overallResult);
}
