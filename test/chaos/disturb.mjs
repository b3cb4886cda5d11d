// Loaded into a process of the program by --import. On SIGUSR2 it does to it what PROMPTMILL_TEST_DISTURB says:
// `block:<ms>` keeps its event loop busy for so long, `clock:<ms>` moves its wall clock by so much.
const [what, amount] = (process.env.PROMPTMILL_TEST_DISTURB ?? "").split(":");

process.on("SIGUSR2", () => {
  if (what === "block") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(amount));
  if (what === "clock") moveClock(Number(amount));
});

function moveClock(byMs) {
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(...args) {
      super(...(args.length === 0 ? [RealDate.now() + byMs] : args));
    }

    static now() {
      return RealDate.now() + byMs;
    }
  };
}
