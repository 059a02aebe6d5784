/**
 * Extracts the error message of a response body as one short line without secrets.
 *
 * The message is taken from `error`, `detail` (text or FastAPI's list of errors), `message` or
 * `error_message`, which may be nested, from plain text, or from the title of an HTML page.
 */

const MAX_SHOWN = 500;
const MAX_READ = 65_536;
const MAX_DEPTH = 8;
const MASK = "***";
const MIN_SECRET_LENGTH = 6;
const KEY_LIKE = /(?<!h)tml-[\w-]{4,}|tml-[\w-]{16,}|eyJ[\w-]{4,}(?:\.[\w-]*){0,2}/g;
const TITLE = /<title[^>]{0,100}>([^<]{1,500})/i;

export type Fields = Record<string, unknown>;

export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The message of an error body; `""` if there is none, which decides some cases of polling. */
export function serverWords(body: unknown, secret = ""): string {
  // Redacted before it is shortened, because a truncated key would not be recognized.
  return shorten(redact(messageOf(body, 0).slice(0, MAX_READ), secret));
}

export function redact(text: string, secret = ""): string {
  // A shorter secret would match too many texts by accident.
  const masked = secret.length >= MIN_SECRET_LENGTH ? text.replaceAll(secret, MASK) : text;
  return masked.replace(KEY_LIKE, MASK);
}

export function shorten(text: string, limit = MAX_SHOWN): string {
  const line = text
    .slice(0, 4 * limit)
    .trim()
    .split(/\s+/)
    .join(" ");
  return line.length <= limit && text.length <= 4 * limit
    ? line
    : `${line.slice(0, limit)}... (${text.length} characters)`;
}

function messageOf(body: unknown, depth: number): string {
  if (body === null || body === undefined || depth > MAX_DEPTH) return "";
  if (typeof body === "string") return title(body) || body;
  if (Array.isArray(body)) {
    const messages = body.map((item) => messageOf(item, depth + 1));
    return messages.filter(Boolean).join("; ");
  }
  return isObject(body) ? messageOfObject(body, depth) : String(body);
}

function messageOfObject(body: Fields, depth: number): string {
  const { msg, loc } = body;
  if (typeof msg === "string" && Array.isArray(loc)) return `${loc.join(".")}: ${msg}`;
  for (const name of ["error", "detail", "message", "error_message"]) {
    const message = messageOf(body[name], depth + 1);
    if (message) return message;
  }
  return Object.keys(body).length ? JSON.stringify(body) : "";
}

function title(text: string): string {
  if (!text.slice(0, 100).includes("<")) return "";
  return TITLE.exec(text.slice(0, 4096))?.[1] ?? "";
}
