export { acceptInput } from "./accept-input.js";
export { isDiskFull } from "./journal-failure.js";
export { journalFiles, journalName, type JournalFile } from "./journal-files.js";
export { JournalReader, type StandingResult } from "./journal-reader.js";
export { JournalTail, type JournalTailOptions } from "./journal-tail.js";
export { Journal } from "./journal.js";
export {
  foldJournal,
  loadJournal,
  type ApplyEvent,
  type LoadedJournal,
  type LoadOptions,
} from "./load-journal.js";
export { parseWorkerLine } from "./parse-line.js";
