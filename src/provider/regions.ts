import type { Protocol } from "../types.js";

/** A place where Model Studio answers. */
export interface Region {
  /** What the job file says. */
  readonly name: string;
  /** Alibaba Cloud's own id: part of workspace hosts. null where workspace hosts do not exist. */
  readonly id: string | null;
  /** The host that needs no workspace; null where only workspace hosts exist. */
  readonly host: string | null;
  /** Which region's key is used here: keys differ by region. */
  readonly keyRegion: string;
  readonly protocols: readonly Protocol[];
  /** Half price; calls are held open until there is capacity, an hour at most. */
  readonly batchChat: boolean;
}

const BOTH: readonly Protocol[] = ["openai", "dashscope"];

/**
 * Regions by name.
 *
 * Sources: text-generation overview, 10 Dec 2025 (Singapore, Beijing: legacy hosts, "remain fully
 * functional"); "Compatibility of OpenAI with DashScope", Mar-Oct 2026 (the others, workspace hosts);
 * "OpenAI compatible - Batch Chat", Aug-Oct 2026 (beijing-batch: Beijing only, compatible mode only).
 */
export const REGIONS: readonly Region[] = [
  region("singapore", "ap-southeast-1", "dashscope-intl.aliyuncs.com"),
  region("beijing", "cn-beijing", "dashscope.aliyuncs.com"),
  region("virginia", "us-east-1", "dashscope-us.aliyuncs.com"),
  region("hong-kong", "cn-hongkong", "cn-hongkong.dashscope.aliyuncs.com"),
  region("tokyo", "ap-northeast-1", null),
  region("frankfurt", "eu-central-1", null),
  {
    name: "beijing-batch",
    id: null,
    host: "batch.dashscope.aliyuncs.com",
    keyRegion: "beijing",
    protocols: ["openai"],
    batchChat: true,
  },
];

/** Paths behind every host of the vendor. Source: text-generation overview, 10 Dec 2025. */
export const BASE_PATHS: Readonly<Record<Protocol, string>> = {
  openai: "/compatible-mode/v1",
  dashscope: "/api/v1",
};

const WORKSPACE_DOMAIN = "maas.aliyuncs.com";

/** `{workspace}.{region id}.maas.aliyuncs.com` and nothing around it: no port, path or user. */
const WORKSPACE_HOST =
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.([a-z]{2}-[a-z]+(?:-\d+)?)\.maas\.aliyuncs\.com$/;

/** The region with this name, vendor id or host; undefined when there is none. Case does not matter. */
export function findRegion(text: string): Region | undefined {
  const wanted = text.trim().toLowerCase();
  return REGIONS.find((each) => each.name === wanted || each.id === wanted || each.host === wanted);
}

/** The region id inside a workspace host (`ws-1.cn-beijing.maas.aliyuncs.com`), else null. */
export function workspaceHostRegion(host: string): string | null {
  return WORKSPACE_HOST.exec(host.trim().toLowerCase())?.[1] ?? null;
}

export function workspaceHost(workspace: string, regionId: string): string {
  return `${workspace.toLowerCase()}.${regionId}.${WORKSPACE_DOMAIN}`;
}

/** Whether Model Studio itself answers at this host; other tenants live under aliyuncs.com as well. */
export function isVendorHost(host: string): boolean {
  return (
    /^([a-z0-9-]+\.)?dashscope(-[a-z]+)?\.aliyuncs\.com$/.test(host) || host.endsWith(`.${WORKSPACE_DOMAIN}`)
  );
}

function region(name: string, id: string, host: string | null): Region {
  return { name, id, host, keyRegion: name, protocols: BOTH, batchChat: false };
}
