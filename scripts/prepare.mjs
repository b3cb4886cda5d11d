// First step of .ci/run: packages and build, as `npm start` and `npm test` do them for themselves.
import { prepare } from "./setup.mjs";

prepare();
