/** How servers word what their codes do not tell; see `error-table.ts` for whose words they are. */

/** A sentence's rest, of bounded length: dots in names such as qwen2.5 do not end it. */
const REST = String.raw`(?:[^.\n]|\.(?=\S)){0,120}`;
/** A content check's refusal of one request. */
export const MODERATION = new RegExp(
  [
    String.raw`\b(input|prompt|content|request|messages?|text|output|response|images?)\b${REST}\bflagged\b`,
    String.raw`\bflagged (by|as|for)\b${REST}(moderat|violat|unsafe|harm|polic)`,
    String.raw`\bmoderat(ion|ed|or)\b|\bcensor|safety (system|filter|polic|guideline|check)|content (management )?polic`,
    String.raw`\busage (polic|guideline)|content exists risk|considered high risk|(unsafe|sensitive|prohibited|harmful) content`,
    String.raw`\bsensitive (words?|information)|不安全|敏感(内容|词|信息)`,
  ].join("|"),
  "i",
);
/** Closed for good, perhaps in a moderator's words. */
export const ACCOUNT_CLOSED = new RegExp(
  String.raw`\b(account|organi[sz]ation|workspace|api key|project)\b${REST}\b(suspended|deactivated|disabled|banned|terminated)\b`,
  "i",
);
export const UNKNOWN_MODEL = new RegExp(
  [
    String.raw`\b(model|deployment)\b${REST}\b(does not|doesn't|do not|not) exist`,
    String.raw`\bmodels?\b${REST}\b(not found|cannot be found|can not be found|decommissioned)\b|\bnot found the model\b`,
    String.raw`\b(unknown|invalid|unrecognized|no such) model\b(?! (input|output|param|response|config))|\bnot a valid model\b|\brequested model\b${REST}\bnot supported\b`,
    "模型不存在",
  ].join("|"),
  "i",
);
/** Nothing is there that could be called: the base URL is wrong. */
export const WRONG_ENDPOINT =
  /unexpected endpoint|\binvalid url \(|\bunknown (url|endpoint|route)\b|\bcannot post \/|\bno (static resource|route matched)|\broute \S+ not found|requested url was not found|page not found|^not found\.?$|^a web page\b|method not allowed/i;
