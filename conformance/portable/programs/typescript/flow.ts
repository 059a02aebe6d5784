// What each TypeScript program does: train one step, sample, and decode the recorded responses.

declare const process: { env: Record<string, string | undefined> };

export const TEXT = [84, 104, 101, 32, 113];

/** One method per step, with the types of the generator. Submissions return a request id. */
export interface Api {
  createSession(): Promise<string>;
  createModel(session: string): Promise<string>;
  forwardBackward(model: string): Promise<string>;
  createSampler(session: string): Promise<string>;
  sample(sampler: string): Promise<string>;
  retrieveFuture(requestId: string): Promise<unknown>;
}

export interface Decoders {
  modelId(result: unknown): string;
  loss(result: unknown): number;
  tokens(result: unknown): number[];
}

async function waitFor(api: Api, requestId: string): Promise<unknown> {
  for (;;) {
    const value = (await api.retrieveFuture(requestId)) as Record<string, unknown>;
    if (value["type"] === "try_again") continue;
    if (value["error"] != null) throw new Error(String(value["error"]));
    return value;
  }
}

export async function run(connect: (url: string) => Api, decode: Decoders): Promise<void> {
  const api = connect(process.env["TINKER_BASE_URL"] ?? "");
  const session = await api.createSession();
  const model = decode.modelId(await waitFor(api, await api.createModel(session)));
  const loss = decode.loss(await waitFor(api, await api.forwardBackward(model)));
  const sampler = await api.createSampler(session);
  const tokens = decode.tokens(await waitFor(api, await api.sample(sampler)));
  console.log(JSON.stringify({ loss, tokens }));

  const recorded = connect(process.env["CASES_URL"] ?? "");
  const cases = JSON.parse(process.env["CASES"] ?? "") as { name: string }[];
  for (const { name } of cases) {
    console.log(JSON.stringify({ case: name, value: await recorded.retrieveFuture(name) }));
  }
}
