import * as service from "./service.ts";

/** What orders make of a slice of the log. */
export const consume = service.record;
