import { run, TEXT, type Api } from "./flow";
import { createClient } from "./generated/client";
import {
  asample,
  createModel,
  createSamplingSession,
  createSession,
  forwardBackward,
  retrieveFuture,
} from "./generated/sdk.gen";
import type {
  CreateModelResponse,
  ForwardBackwardOutput,
  ModelInput,
  SampleResponse,
  TensorData,
} from "./generated/types.gen";

const PROMPT: ModelInput = { chunks: [{ type: "encoded_text", tokens: TEXT }] };

function connect(baseUrl: string): Api {
  const client = createClient({ baseUrl, auth: "tml-any" });
  const options = { client, throwOnError: true } as const;
  return {
    createSession: async () => {
      const body = { tags: [], user_metadata: {}, sdk_version: "0.4.1" };
      return (await createSession({ ...options, body })).data.session_id;
    },
    createModel: async (session) => {
      const lora_config = { rank: 4 };
      const body = {
        session_id: session,
        model_seq_id: 0,
        base_model: "embedded/tiny",
        lora_config,
      };
      return (await createModel({ ...options, body })).data.request_id;
    },
    forwardBackward: async (model) => {
      const target_tokens: TensorData = { data: TEXT, dtype: "int64", shape: [5] };
      const weights: TensorData = { data: [1, 1, 1, 1, 0.5], dtype: "float32" };
      const data = [{ model_input: PROMPT, loss_fn_inputs: { target_tokens, weights } }];
      const forward_backward_input = { data, loss_fn: "cross_entropy" };
      const body = { forward_backward_input, model_id: model, seq_id: 1 };
      return (await forwardBackward({ ...options, body })).data.request_id;
    },
    createSampler: async (session) => {
      const body = {
        session_id: session,
        sampling_session_seq_id: 0,
        base_model: "embedded/tiny",
      };
      return (await createSamplingSession({ ...options, body })).data.sampling_session_id ?? "";
    },
    sample: async (sampler) => {
      const body = {
        prompt: PROMPT,
        sampling_params: { max_tokens: 3, temperature: 0 },
        sampling_session_id: sampler,
        seq_id: 0,
      };
      return (await asample({ ...options, body })).data.request_id;
    },
    retrieveFuture: async (request_id) =>
      (await retrieveFuture({ ...options, body: { request_id } })).data,
  };
}

await run(connect, {
  modelId: (result) => (result as CreateModelResponse).model_id,
  loss: (result) => (result as ForwardBackwardOutput).metrics?.["loss:sum"] ?? NaN,
  tokens: (result) => (result as SampleResponse).sequences?.[0]?.tokens ?? [],
});
