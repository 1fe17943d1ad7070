import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

const listen = (port: number): Promise<number | undefined> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? address?.port : undefined));
    });
  });

/**
 * A port on loopback that is free now: the one this home used before where it still is, so that a URL someone noted
 * stays true, else one the system picks. Another process may take it before the engine does; then ask again.
 */
export async function freePort(home: string, name: string): Promise<number> {
  const file = join(home, "engines", `${name}.port`);
  const before = Number(await readFile(file, "utf8").catch(() => "0"));
  const kept = before > 1023 && before < 65_536 ? await listen(before) : undefined;
  const port = kept ?? (await listen(0));
  if (port === undefined) throw new Error("No free port on 127.0.0.1.");
  await writeFile(file, String(port));
  return port;
}
