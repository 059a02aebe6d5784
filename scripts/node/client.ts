// A TypeScript client with the types generated from the specification: `make typescript` compiles it
// with `tsc --strict`. It is an example of using the types, not a published package.

import createClient from "openapi-fetch";
import type { components, paths } from "./tinker.js";

type Schemas = components["schemas"];
type Chunk = Schemas["ModelInputChunk"];

export function connect(baseUrl: string, key: string) {
  return createClient<paths>({ baseUrl, headers: { "X-API-Key": key } });
}

/** The number of context tokens of a chunk, if the client can determine it. */
export function length(chunk: Chunk): number | undefined {
  if ("tokens" in chunk && Array.isArray(chunk.tokens)) return chunk.tokens.length;
  if ("expected_tokens" in chunk) return chunk.expected_tokens ?? undefined;
  return undefined;
}

export async function sample(baseUrl: string, key: string, tokens: number[]): Promise<string> {
  const client = connect(baseUrl, key);
  const prompt: Schemas["ModelInput"] = { chunks: [{ type: "encoded_text", tokens }] };
  const { data, error } = await client.POST("/api/v1/asample", {
    body: {
      type: "sample",
      num_samples: 1,
      topk_prompt_logprobs: 0,
      prompt,
      sampling_params: { max_tokens: 16, temperature: 1, top_k: -1, top_p: 1 },
    },
  });
  if (data === undefined) throw new Error(`rejected: ${JSON.stringify(error)}`);
  return data.request_id;
}

export async function runs(baseUrl: string, key: string): Promise<string[]> {
  const { data } = await connect(baseUrl, key).GET("/api/v1/training_runs", {
    params: { query: { limit: 10 } },
  });
  return data?.training_runs?.map((run) => run.training_run_id) ?? [];
}

export function cost(event: Schemas["BillingUsageEvent"]): number {
  // The tag identifies the type.
  const info = event.event_info;
  if ("type" in info && info.type === "training") return Number(info.token_count);
  return event.estimated_cost_usd ?? 0;
}
