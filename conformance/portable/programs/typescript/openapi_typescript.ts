import createClient from "openapi-fetch";

import { run, TEXT, type Api } from "./flow.ts";
import type { components, paths } from "./generated/schema.d.ts";

type Schemas = components["schemas"];

function connect(baseUrl: string): Api {
  const client = createClient<paths>({ baseUrl, headers: { "X-API-Key": "tml-any" } });
  const prompt: Schemas["ModelInput"] = { chunks: [{ type: "encoded_text", tokens: TEXT }] };
  return {
    createSession: async () => {
      const body = { tags: [], user_metadata: {}, sdk_version: "0.4.1" };
      return received(await client.POST("/api/v1/create_session", { body })).session_id;
    },
    createModel: async (session) => {
      const lora_config = { rank: 4 };
      const body = {
        session_id: session,
        model_seq_id: 0,
        base_model: "embedded/tiny",
        lora_config,
      };
      return received(await client.POST("/api/v1/create_model", { body })).request_id;
    },
    forwardBackward: async (model) => {
      const target_tokens: Schemas["TensorData"] = { data: TEXT, dtype: "int64", shape: [5] };
      const weights: Schemas["TensorData"] = { data: [1, 1, 1, 1, 0.5], dtype: "float32" };
      const data = [{ model_input: prompt, loss_fn_inputs: { target_tokens, weights } }];
      const forward_backward_input = { data, loss_fn: "cross_entropy" };
      const body = { forward_backward_input, model_id: model, seq_id: 1 };
      return received(await client.POST("/api/v1/forward_backward", { body })).request_id;
    },
    createSampler: async (session) => {
      const body = {
        session_id: session,
        sampling_session_seq_id: 0,
        base_model: "embedded/tiny",
      };
      const result = await client.POST("/api/v1/create_sampling_session", { body });
      return received(result).sampling_session_id ?? "";
    },
    sample: async (sampler) => {
      const body: Schemas["SampleRequest"] = {
        prompt,
        sampling_params: { max_tokens: 3, temperature: 0 },
        sampling_session_id: sampler,
        seq_id: 0,
      };
      return received(await client.POST("/api/v1/asample", { body })).request_id;
    },
    retrieveFuture: async (request_id) =>
      received(await client.POST("/api/v1/retrieve_future", { body: { request_id } })),
  };
}

function received<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

await run(connect, {
  modelId: (result) => (result as Schemas["CreateModelResponse"]).model_id,
  loss: (result) => (result as Schemas["ForwardBackwardOutput"]).metrics?.["loss:sum"] ?? NaN,
  tokens: (result) => (result as Schemas["SampleResponse"]).sequences?.[0]?.tokens ?? [],
});
