// Writes its first argument to standard output one byte per write, and the second to standard error.
import { writeSync } from 'node:fs';

for (const byte of Buffer.from(process.argv[2])) writeSync(1, Buffer.of(byte));
for (const byte of Buffer.from(process.argv[3])) writeSync(2, Buffer.of(byte));
