// Prints one JSON array: the Khronos validator's report on every GLB file named on the command line.
import fs from 'fs';
import { createRequire } from 'module';

const validator = createRequire(import.meta.url)('gltf-validator');
const reports = [];
for (const file of process.argv.slice(2)) {
  const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(file)));
  reports.push(report.issues);
}
console.log(JSON.stringify(reports));
