/**
 * What may be shown of a server's answer: one short line, without anything secret.
 *
 * Read are `error`, `detail` (a sentence, or FastAPI's list of places and reasons), `message` and
 * `error_message`, these inside one another, plain text, and of an HTML page its title.
 */

const SHOWN = 500;
const READ = 65_536;
const DEPTH = 8;
const MASK = "***";
const SHORTEST = 6;
const KEY_LIKE = /(?<!h)tml-[\w-]{4,}|tml-[\w-]{16,}|eyJ[\w-]{4,}(?:\.[\w-]*){0,2}/g;
const TITLE = /<title[^>]{0,100}>([^<]{1,500})/i;

export type Fields = Record<string, unknown>;

export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What an error body says; `""` where it says nothing, which decides some cases of polling. */
export function serverWords(body: unknown, secret = ""): string {
  // Redacted first: half of a key would not be recognized any more.
  return shorten(redact(words(body, 0).slice(0, READ), secret));
}

export function redact(text: string, secret = ""): string {
  // What is shorter stands in too many texts by chance.
  const known = secret.length >= SHORTEST ? text.replaceAll(secret, MASK) : text;
  return known.replace(KEY_LIKE, MASK);
}

export function shorten(text: string, limit = SHOWN): string {
  const line = text
    .slice(0, 4 * limit)
    .trim()
    .split(/\s+/)
    .join(" ");
  return line.length <= limit && text.length <= 4 * limit
    ? line
    : `${line.slice(0, limit)}... (${text.length} characters)`;
}

function words(body: unknown, depth: number): string {
  if (body === null || body === undefined || depth > DEPTH) return "";
  if (typeof body === "string") return title(body) || body;
  if (Array.isArray(body)) {
    const said = body.map((item) => words(item, depth + 1));
    return said.filter(Boolean).join("; ");
  }
  return isObject(body) ? wordsOfObject(body, depth) : String(body);
}

function wordsOfObject(body: Fields, depth: number): string {
  const { msg, loc } = body;
  if (typeof msg === "string" && Array.isArray(loc)) return `${loc.join(".")}: ${msg}`;
  for (const name of ["error", "detail", "message", "error_message"]) {
    const said = words(body[name], depth + 1);
    if (said) return said;
  }
  return Object.keys(body).length ? JSON.stringify(body) : "";
}

function title(text: string): string {
  if (!text.slice(0, 100).includes("<")) return "";
  return TITLE.exec(text.slice(0, 4096))?.[1] ?? "";
}
