// Everything that waits in an installation is done, until nothing follows from it any more.
import type { pumps } from "../src/app.ts";

export async function settled(work: ReturnType<typeof pumps>): Promise<void> {
  for (let done = 1; done > 0;)
    done =
      (await work.consume()) +
      (await work.merge()) +
      (await work.relay()) +
      (await work.ring()) +
      (await work.segment());
}
