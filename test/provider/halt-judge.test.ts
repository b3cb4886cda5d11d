import { describe, expect, it } from "vitest";
import { HALT_AFTER, HaltJudge } from "../../src/provider/errors/halt-judge.js";
import { ProviderError } from "../../src/provider/index.js";
import type { ModelRequest } from "../../src/types.js";
import { inTurn, json, text, type ModelServer, type Responder } from "./model-server.js";
import {
  ask,
  closeAfterEach,
  deferred,
  failureOf,
  plainAt,
  providerAt,
  startServer,
  within,
} from "./providers.js";

closeAfterEach();

const { signal } = new AbortController();
const refusal = (httpStatus = 403, isOfAccount = false): ProviderError =>
  new ProviderError("blocked", {
    disposition: "run",
    kind: "invalid_request",
    code: "c",
    httpStatus,
    isOfAccount,
    hint: "h",
  });

/** Judges a failure of a call that ran alone. */
async function judged(judge: HaltJudge, error: unknown, model = "m"): Promise<unknown> {
  judge.began(model);
  return judge.failed(model, error, signal);
}

function works(judge: HaltJudge, model = "m"): void {
  judge.began(model);
  judge.answered(model);
}

describe("a failure that every row would share", () => {
  it("ends the run when nothing has been answered", async () => {
    const error = refusal();
    expect(await judged(new HaltJudge(), error)).toBe(error);
  });

  it("fails its row when the model has answered, and the fifth in a row ends the run, quoting the server", async () => {
    const judge = new HaltJudge();
    works(judge);
    for (let call = 1; call < HALT_AFTER; call += 1) {
      const failure = await judged(judge, refusal());
      expect(failure).toMatchObject({
        disposition: "row",
        message: "blocked",
        hint: undefined,
        mayHaveBeenBilled: false,
      });
    }
    for (let call = 0; call < 2; call += 1) {
      expect(await judged(judge, refusal())).toMatchObject({
        disposition: "run",
        message: expect.stringMatching(/^\d calls in a row were refused: blocked$/) as unknown,
        hint: "h",
      });
    }
  });

  it("begins to count anew with every answer", async () => {
    const judge = new HaltJudge();
    for (let call = 0; call < 3 * HALT_AFTER; call += 1) {
      works(judge);
      expect(await judged(judge, refusal())).toMatchObject({ disposition: "row" });
    }
  });

  it("is judged by its own model", async () => {
    const judge = new HaltJudge();
    works(judge, "one");
    expect(await judged(judge, refusal(), "other")).toMatchObject({ disposition: "run" });
  });

  it("of the account ends the run whatever has worked, and other failures are none of its business", async () => {
    const judge = new HaltJudge();
    works(judge);
    const [arrears, timeout] = [refusal(400, true), new Error("x")];
    expect(await judged(judge, arrears)).toBe(arrears);
    expect(await judged(judge, timeout)).toBe(timeout);
  });

  it("waits for the calls beside it, and for none that waits as well", async () => {
    const judge = new HaltJudge();
    for (let call = 0; call < 3; call += 1) judge.began("m");
    const first = judge.failed("m", refusal(), signal);
    const second = judge.failed("m", refusal(), signal);
    judge.answered("m");
    expect(await first).toMatchObject({ disposition: "row" });
    expect(await second).toMatchObject({ disposition: "row" });
    const other = new HaltJudge();
    for (let call = 0; call < 3; call += 1) other.began("m");
    const all = [refusal(), refusal(), new Error("x")].map((error) => other.failed("m", error, signal));
    expect(await Promise.all(all)).toMatchObject([{ disposition: "run" }, { disposition: "run" }, {}]);
  });

  it("does not wait once its call is given up", async () => {
    const judge = new HaltJudge();
    const giveUp = new AbortController();
    for (let call = 0; call < 2; call += 1) judge.began("m");
    const failure = judge.failed("m", refusal(), giveUp.signal);
    giveUp.abort();
    expect(await failure).toMatchObject({ disposition: "run" });
  });
});

describe("a provider", () => {
  const ANSWER = json(200, { choices: [{ message: { content: "ok" }, finish_reason: "stop" }] });
  const FIREWALL = text(403, "<html><head><title>Request blocked</title></head></html>", {
    "content-type": "text/html",
  });

  async function serverThat(
    respond: Responder,
  ): Promise<[ModelServer, (request?: ModelRequest) => Promise<unknown>]> {
    const server = await startServer();
    server.respond = respond;
    const provider = providerAt(plainAt(server.url));
    return [server, (request = ask("Hi")) => provider.call(request, within())];
  }

  it.each<[string, Responder]>([
    ["a firewall", FIREWALL],
    ["a key refused once", json(401, { error: { message: "no" } })],
    ["credits for a long answer", json(402, { error: { message: "You can only afford 500 tokens" } })],
    ["a model lost once", json(404, { error: { message: "The model `m` does not exist" } })],
    ["a model lost with 400", json(400, { error: { message: "Model Not Exist" } })],
    ["a redirect", text(302, "", { location: "https://elsewhere.example" })],
  ])("that has answered fails the row for %s and goes on", async (_what, refused) => {
    const [, call] = await serverThat(inTurn(ANSWER, refused, ANSWER, refused, ANSWER));
    await call();
    expect(await failureOf(call())).toMatchObject({ disposition: "row" });
    await call();
    expect(await failureOf(call())).toMatchObject({ disposition: "row" });
  });

  it("that has not ends the run with what the server said and what may be in front of it", async () => {
    const [, call] = await serverThat(FIREWALL);
    const failure = await failureOf(call());
    expect(failure).toMatchObject({ disposition: "run", code: "http_403" });
    expect(failure.message).toContain('a web page, "Request blocked"');
    expect(failure.hint).toContain("firewall");
  });

  it("that is answered beside a first refusal fails that row alone", async () => {
    const isRefused = deferred();
    const [, call] = await serverThat((received, response) => {
      if (received.text.includes("bad")) {
        response.on("finish", isRefused.resolve);
        FIREWALL(received, response);
      } else void isRefused.promise.then(() => ANSWER(received, response));
    });
    const good = call(ask("good"));
    expect(await failureOf(call(ask("bad")))).toMatchObject({ disposition: "row" });
    await good;
  });
});
