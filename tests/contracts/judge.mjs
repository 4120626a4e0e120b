// Prints what the AsyncAPI parser has to say of a document: one diagnostic a line, as JSON. Severity 0 is an error.
import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';

const { diagnostics } = await new Parser().parse(readFileSync(process.argv[2], 'utf8'));
for (const { severity, code, message, path } of diagnostics) {
  console.log(JSON.stringify({ severity, code, message, path: path.join('/') }));
}
