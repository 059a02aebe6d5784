import { run, TEXT, type Api } from "./flow";
import type {
  CreateModelResponse,
  ForwardBackwardOutput,
  ModelInput,
  SampleResponse,
} from "./generated/model";
import {
  asample,
  createModel,
  createSamplingSession,
  createSession,
  forwardBackward,
  retrieveFuture,
} from "./generated/tinker";

const PROMPT: ModelInput = { chunks: [{ type: "encoded_text", tokens: TEXT }] };
const KEY = { headers: { "X-API-Key": "tml-any" } };

// The generated functions use the address in the document and the global `fetch`.
const send = globalThis.fetch;
let address = "";
globalThis.fetch = (input, init) => {
  const path = String(input).replace(/^.*\/api\//, "/api/");
  return send(new URL(path, address), init);
};

type Response = { status: number; data: unknown };

function succeeded<R extends Response>(response: R): Extract<R, { status: 200 }> {
  if (response.status !== 200) throw new Error(JSON.stringify(response.data));
  return response as Extract<R, { status: 200 }>;
}

function connect(baseUrl: string): Api {
  address = baseUrl;
  return {
    createSession: async () => {
      const body = { tags: [], user_metadata: {}, sdk_version: "0.4.1" };
      const response = await createSession(body, KEY);
      return succeeded(response).data.session_id;
    },
    createModel: async (session) => {
      const lora_config = { rank: 4 };
      const body = {
        session_id: session,
        model_seq_id: 0,
        base_model: "embedded/tiny",
        lora_config,
      };
      const response = await createModel(body, KEY);
      return succeeded(response).data.request_id;
    },
    forwardBackward: async (model) => {
      const target_tokens = { data: TEXT, dtype: "int64" as const, shape: [5] };
      const weights = { data: [1, 1, 1, 1, 0.5], dtype: "float32" as const };
      const data = [{ model_input: PROMPT, loss_fn_inputs: { target_tokens, weights } }];
      const forward_backward_input = { data, loss_fn: "cross_entropy" };
      const body = { forward_backward_input, model_id: model, seq_id: 1 };
      const response = await forwardBackward(body, KEY);
      return succeeded(response).data.request_id;
    },
    createSampler: async (session) => {
      const body = {
        session_id: session,
        sampling_session_seq_id: 0,
        base_model: "embedded/tiny",
      };
      const response = await createSamplingSession(body, KEY);
      return succeeded(response).data.sampling_session_id ?? "";
    },
    sample: async (sampler) => {
      const body = {
        prompt: PROMPT,
        sampling_params: { max_tokens: 3, temperature: 0 },
        sampling_session_id: sampler,
        seq_id: 0,
      };
      const response = await asample(body, KEY);
      return succeeded(response).data.request_id;
    },
    retrieveFuture: async (request_id) =>
      succeeded(await retrieveFuture({ request_id }, KEY)).data,
  };
}

await run(connect, {
  modelId: (result) => (result as CreateModelResponse).model_id,
  loss: (result) => (result as ForwardBackwardOutput).metrics?.["loss:sum"] ?? NaN,
  tokens: (result) => (result as SampleResponse).sequences?.[0]?.tokens ?? [],
});
