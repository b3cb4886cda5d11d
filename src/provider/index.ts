/** The provider layer: vendor protocols behind one interface, vendor knowledge as data. */
export { checkRequest } from "./check-request.js";
export type { RequestCheck } from "./check-request.js";
export { createProvider } from "./create-provider.js";
export type { CreateProviderOptions, ProviderLogEvent } from "./create-provider.js";
export { wantsThinking } from "./call-plan.js";
export type { Endpoint, Environment, ProviderSettings, ProviderTarget, Vendor } from "./endpoint.js";
export { checkImage, loadImage } from "./load-image.js";
export { modelTraits } from "./models.js";
export type { ModelTraits, NativeFamily, Thinking } from "./models.js";
export { PARAMETER_RANGES } from "./parameter-ranges.js";
export { ProviderError } from "./provider.js";
export type { CallOptions, Disposition, Provider, ProviderErrorOptions } from "./provider.js";
export { maskKey } from "./redact.js";
export { REGIONS } from "./regions.js";
export { BUILT_IN_PROVIDERS, readApiKey, resolveEndpoint } from "./resolve-endpoint.js";
export { compileSchema, jsonInstruction, parseStructured, structuredOutputFor } from "./structured-output.js";
export type { JsonSchema, StructuredAnswer, ValidateJson } from "./structured-output.js";
export { structuredRequest } from "./structured-request.js";
