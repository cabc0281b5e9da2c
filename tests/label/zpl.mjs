// SPDX-License-Identifier: Apache-2.0
// Draws ZPL from standard input, one label after each NUL, as PNG in base64, one line a label.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [, , renderer, width, height, dots] = process.argv;
const { api } = await createRequire(import.meta.url)(renderer).ready;
for (const zpl of readFileSync(0, "utf8").split("\0")) {
  process.stdout.write((await api.zplToBase64Async(zpl, Number(width), Number(height), Number(dots))) + "\n");
}
process.exit(0);
