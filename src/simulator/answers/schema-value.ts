import { isRecord, type JsonRecord } from "../json.js";
import { matchPattern } from "./pattern-text.js";

/** Recursive schemas end here: deeper optional parts are left out. */
const maxDepth = 8;

/**
 * A value that fits a JSON Schema, filled with words of `text` where it takes text.
 *
 * Covers what structured output allows and somewhat more: type, enum, const, properties, items,
 * prefixItems, string lengths, formats and simple patterns, numeric bounds, local $ref, anyOf, oneOf,
 * allOf. The same schema, text and variant give the same value.
 */
export function schemaValue(schema: unknown, text: string, variant = 0): unknown {
  return new SchemaFiller(schema, text, variant).value(schema, "value", 0);
}

class SchemaFiller {
  readonly #root: unknown;
  readonly #words: readonly string[];
  #next: number;

  constructor(root: unknown, text: string, first: number) {
    this.#next = first;
    this.#root = root;
    this.#words = text.split(/\s+/).filter((word) => word !== "");
  }

  value(schema: unknown, name: string, depth: number): unknown {
    if (!isRecord(schema)) return `[simulated] ${name}`;
    const resolved = this.#resolve(schema);
    if ("const" in resolved) return resolved["const"];
    const choices = resolved["enum"];
    if (Array.isArray(choices) && choices.length > 0) return choices[this.#step() % choices.length];
    for (const key of ["anyOf", "oneOf"]) {
      const options = resolved[key];
      if (!Array.isArray(options) || options.length === 0) continue;
      const { [key]: _options, ...rest } = resolved;
      // Deep down the last option is likelier to be null or a leaf than the first one.
      const option: unknown = depth >= maxDepth ? options.at(-1) : options[0];
      return this.value(isRecord(option) ? merge(rest, this.#resolve(option)) : rest, name, depth + 1);
    }
    switch (typeOf(resolved, depth)) {
      case "object":
        return this.#object(resolved, depth);
      case "array":
        return this.#array(resolved, name, depth);
      case "integer":
      case "number":
        return this.#number(resolved);
      case "boolean":
        return this.#step() % 2 === 0;
      case "null":
        return null;
      default:
        return this.#string(resolved, name);
    }
  }

  #resolve(schema: JsonRecord): JsonRecord {
    let resolved = schema;
    for (let hops = 0; hops < 16; hops++) {
      const { $ref: reference, ...rest } = resolved;
      if (typeof reference !== "string") break;
      const target = pointer(this.#root, reference);
      resolved = isRecord(target) ? merge(target, rest) : rest;
    }
    const { allOf, ...rest } = resolved;
    if (!Array.isArray(allOf)) return resolved;
    return allOf.reduce<JsonRecord>(
      (all, part) => (isRecord(part) ? merge(all, this.#resolve(part)) : all),
      rest,
    );
  }

  #object(schema: JsonRecord, depth: number): JsonRecord {
    const properties = isRecord(schema["properties"]) ? schema["properties"] : {};
    const required = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
    const filled: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    for (const [name, property] of Object.entries(properties)) {
      if (depth < maxDepth || required.has(name)) filled[name] = this.value(property, name, depth + 1);
    }
    for (const name of required) {
      if (typeof name === "string" && !Object.hasOwn(properties, name)) filled[name] = `[simulated] ${name}`;
    }
    return filled;
  }

  #array(schema: JsonRecord, name: string, depth: number): unknown[] {
    const prefix = Array.isArray(schema["prefixItems"]) ? schema["prefixItems"] : [];
    const minimum = bound(schema["minItems"], 0);
    const maximum = bound(schema["maxItems"], Number.POSITIVE_INFINITY);
    const wanted =
      depth >= maxDepth ? minimum : Math.max(minimum, Math.min(maximum, Math.max(2, prefix.length)));
    const items: unknown[] = [];
    for (let attempt = 0; items.length < wanted && attempt < wanted + 64; attempt++) {
      const item = this.value(prefix[items.length] ?? schema["items"] ?? {}, name, depth + 1);
      const repeated =
        schema["uniqueItems"] === true &&
        items.some((other) => JSON.stringify(other) === JSON.stringify(item));
      if (!repeated) items.push(item);
    }
    return items;
  }

  #number(schema: JsonRecord): number {
    const whole =
      schema["type"] === "integer" || (Array.isArray(schema["type"]) && schema["type"].includes("integer"));
    const step = bound(schema["multipleOf"], whole ? 1 : 0.5);
    let low = numeric(schema["minimum"]);
    let high = numeric(schema["maximum"]);
    const above = numeric(schema["exclusiveMinimum"]);
    const below = numeric(schema["exclusiveMaximum"]);
    if (above !== null) low = Math.max(low ?? -Infinity, Math.floor(above / step) * step + step);
    if (below !== null) high = Math.min(high ?? Infinity, Math.ceil(below / step) * step - step);
    const first =
      low === null
        ? high === null
          ? 0
          : Math.min(0, Math.floor(high / step) * step)
        : Math.ceil(low / step) * step;
    if (high !== null && first > high) {
      // No multiple of the step fits: between exclusive bounds only the middle is left.
      return ((above ?? low ?? high) + (below ?? high)) / 2;
    }
    const room = high === null ? 9 : Math.min(9, Math.floor((high - first) / step));
    return Number((first + (this.#step() % (room + 1)) * step).toFixed(9));
  }

  #string(schema: JsonRecord, name: string): string {
    const pattern = schema["pattern"];
    if (typeof pattern === "string") {
      const matching = matchPattern(pattern);
      if (matching !== null) return matching;
    }
    const format = formats[String(schema["format"])];
    if (format !== undefined) return format;
    const minimum = bound(schema["minLength"], 0);
    const maximum = bound(schema["maxLength"], Number.POSITIVE_INFINITY);
    let text = `[simulated] ${this.#phrase(name)}`;
    while (Array.from(text).length < minimum) text += ` ${this.#phrase(name)}`;
    return Array.from(text)
      .slice(0, Math.min(maximum, Math.max(minimum, 200)))
      .join("");
  }

  #phrase(name: string): string {
    if (this.#words.length === 0) return name;
    const start = (this.#step() * 5) % this.#words.length;
    return this.#words.slice(start, start + 6).join(" ");
  }

  #step(): number {
    return this.#next++;
  }
}

const formats: Readonly<Record<string, string>> = {
  date: "2026-01-31",
  time: "12:00:00Z",
  "date-time": "2026-01-31T12:00:00Z",
  duration: "P1D",
  email: "simulated@example.com",
  hostname: "simulated.example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  uri: "https://example.com/simulated",
  uuid: "00000000-0000-4000-8000-000000000000",
};

function typeOf(schema: JsonRecord, depth: number): string {
  const { type } = schema;
  if (Array.isArray(type)) {
    if (depth >= maxDepth && type.includes("null")) return "null";
    return String(type.find((option) => option !== "null") ?? "null");
  }
  if (typeof type === "string") return type;
  if ("properties" in schema || "required" in schema) return "object";
  if ("items" in schema || "prefixItems" in schema) return "array";
  return "minimum" in schema || "maximum" in schema ? "number" : "string";
}

function merge(left: JsonRecord, right: JsonRecord): JsonRecord {
  const merged: Record<string, unknown> = { ...left, ...right };
  if (isRecord(left["properties"]) && isRecord(right["properties"])) {
    merged["properties"] = { ...left["properties"], ...right["properties"] };
  }
  if (Array.isArray(left["required"]) && Array.isArray(right["required"])) {
    merged["required"] = [...new Set([...left["required"], ...right["required"]])];
  }
  return merged;
}

function pointer(root: unknown, reference: string): unknown {
  if (!reference.startsWith("#")) return null;
  let target = root;
  for (const step of reference.slice(1).split("/").slice(1)) {
    const key = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
    target = isRecord(target) ? target[key] : Array.isArray(target) ? target[Number(key)] : null;
  }
  return target;
}

function numeric(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function bound(value: unknown, byDefault: number): number {
  return numeric(value) ?? byDefault;
}
