import { isUtf8 } from "node:buffer";
import iconv from "iconv-lite";

/** What the bytes above ASCII look like when they are read as pairs. All but the count are shares in [0, 1]. */
interface PairStatistics {
  readonly pairs: number;
  /** High bytes among all: few in Latin text. */
  readonly high: number;
  /** High bytes with ASCII on both sides: the accents of a single-byte Latin encoding. */
  readonly isolated: number;
  /** Pairs whose second byte is below 0xA1: rare in GB2312 and EUC-KR text, two fifths of Big5. */
  readonly lowSecond: number;
  /** Pairs that start 0x81 to 0x9F: unused by common GB and Big5 characters, all of Shift_JIS's kana. */
  readonly veryLowFirst: number;
  /** Pairs that start 0xC9 to 0xD7: common Chinese characters in GB2312, rare hanja in EUC-KR. */
  readonly firstAboveHangul: number;
}

function pairStatistics(sample: Buffer): PairStatistics {
  let high = 0;
  let isolated = 0;
  let pairs = 0;
  let lowSecond = 0;
  let veryLowFirst = 0;
  let firstAboveHangul = 0;
  for (let index = 0; index < sample.length; index++) {
    if ((sample[index] as number) < 0x80) continue;
    high++;
    if ((sample[index - 1] ?? 0) < 0x80 && (sample[index + 1] ?? 0) < 0x80) isolated++;
  }
  for (let index = 0; index + 1 < sample.length; index++) {
    const first = sample[index] as number;
    const second = sample[index + 1] as number;
    if (first < 0x80 || second < 0x40) continue;
    pairs++;
    if (second < 0xa1) lowSecond++;
    if (first < 0xa0) veryLowFirst++;
    if (first >= 0xc9 && first <= 0xd7) firstAboveHangul++;
    index++;
  }
  const share = (count: number, of: number): number => (of === 0 ? 0 : count / of);
  return {
    pairs,
    high: share(high, sample.length),
    isolated: share(isolated, high),
    lowSecond: share(lowSecond, pairs),
    veryLowFirst: share(veryLowFirst, pairs),
    firstAboveHangul: share(firstAboveHangul, pairs),
  };
}

/**
 * Proposes an encoding for bytes that are not what they were read as. For a hint, never for reading: the
 * thresholds are rules of thumb over where each encoding keeps its common characters.
 *
 * Returns utf-8, gb18030, big5, shift_jis, euc-kr or windows-1252, the first likely one that can decode
 * the whole sample.
 */
export function guessEncoding(sample: Buffer): string {
  const text = sample.subarray(0, wholeLinesLength(sample));
  if (isUtf8(text)) return "utf-8";
  const { pairs, high, isolated, lowSecond, veryLowFirst, firstAboveHangul } = pairStatistics(text);
  const likely: string[] = [];
  if (isolated > 0.6 || (isolated > 0.3 && high < 0.3)) likely.push("windows-1252");
  if (veryLowFirst > 0.3) likely.push("shift_jis");
  if (lowSecond > 0.15) likely.push("big5");
  // A few Chinese words may do without those characters by chance.
  if (pairs >= 12 && firstAboveHangul < 0.04) likely.push("euc-kr");
  likely.push("gb18030", "big5", "shift_jis");
  return likely.find((name) => !iconv.decode(text, name).includes("\uFFFD")) ?? "windows-1252";
}

/** A sample that was cut inside a character would fail every encoding; one line only is kept as it is. */
function wholeLinesLength(sample: Buffer): number {
  const end = sample.lastIndexOf(10);
  return end === -1 ? sample.length : end + 1;
}
