/**
 * The driver of this client for `tinker-ext conformance`: reads a step per line from standard input,
 * starts it, and writes its result as a line when it has one. docs/conformance.md lists the steps.
 */

import { createInterface } from "node:readline";

import { APIStatusError } from "../src/index.js";
import { perform, Unsupported, type Step } from "./steps.js";

function write(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function respond(step: Step): Promise<void> {
  try {
    write({ id: step.id, ok: await perform(step) });
  } catch (error) {
    if (error instanceof Unsupported) return write({ id: step.id, unsupported: error.message });
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    const type = name === "AbortError" ? "cancelled" : name;
    const status = error instanceof APIStatusError ? error.status : null;
    write({ id: step.id, error: { type, message, status } });
  }
}

write({ client: "tinker-port (TypeScript)", protocols: ["0.4.1", "0.38.0"] });
for await (const line of createInterface({ input: process.stdin })) {
  void respond(JSON.parse(line) as Step);
}
// Heartbeats and polls of open clients do not keep the process.
process.exit();
