/** The public API. */

export type { CustomLoss, CustomLossValue } from "./custom.js";
export type { Settings } from "./core.js";
export * from "./errors.js";
export { modelInput, tensor, type Datum, type ModelInput, type TensorData } from "./inputs.js";
export { RestClient, type ArchiveUrl, type Owner, type Page } from "./rest.js";
export {
  SamplingClient,
  type SampleOptions,
  type SampleResponse,
  type SamplingParams,
} from "./sampling.js";
export { ServiceClient, type LoraConfig } from "./service.js";
export { TrainingClient, type ForwardBackwardOutput, type SaveOptions } from "./training.js";
