// postgres.js 3.4.9, mended as it is loaded where a connection is lost. Where a small write waits for its turn then, the
// published one ends the whole process (porsager/postgres#1154), or never writes on that connection again. Goes as soon as
// a release has it: the version is pinned, and where these places are not found nothing starts.
import { registerHooks } from "node:module";

const mends: [from: string, to: string][] = [
  // What waits for a socket that is gone is dropped: whoever asked has been told already.
  [
    "    const x = socket.write(chunk, fn)",
    "    const x = socket !== null && socket.write(chunk, fn)",
  ],
  // A turn that is taken back leaves nothing behind, else no later write would ever ask for one.
  [
    "    clearImmediate(nextWriteTimer)\n    if (socket) {",
    "    clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = null\n    if (socket) {",
  ],
  [
    "    clearImmediate(nextWriteTimer)\n    socket.removeListener",
    "    clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = null\n    socket.removeListener",
  ],
  // A transaction's rollback on a closed connection would stay there as its current query; and "no" for an answer would
  // count the connection as busy, for ever.
  [
    "    if (terminated)\n      return queryError(q, Errors.connection('CONNECTION_DESTROYED', options))",
    "    if (terminated || socket === null) {\n      queryError(q, Errors.connection('CONNECTION_DESTROYED', options))\n      return true\n    }",
  ],
  // And what the server said last would be told to whoever uses the connection next.
  [
    "    closedTime = performance.now()",
    "    query = results = errorResponse = null\n    closedTime = performance.now()",
  ],
];

let mended = false;
const hooks = registerHooks({
  load: (url, context, next) => {
    const loaded = next(url, context);
    if (!url.endsWith("/postgres/src/connection.js")) return loaded;
    let source = String(loaded.source);
    for (const [from, to] of mends) {
      if (source.split(from).length !== 2) throw new Error(`postgres.js has changed: ${from}`);
      source = source.replace(from, to);
    }
    mended = true;
    return { ...loaded, source };
  },
});
const driver = await import("postgres");
hooks.deregister();
if (!mended) throw new Error("postgres.js was loaded before it could be mended");

export const postgres = driver.default;
