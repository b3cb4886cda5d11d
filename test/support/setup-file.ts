import { installCleanUp } from "./after-test.js";

installCleanUp();
