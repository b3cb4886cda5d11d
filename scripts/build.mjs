// `npm run build`, and the test run's own: does nothing when dist/ is current.
import { build } from "./setup.mjs";

build();
