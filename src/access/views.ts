// What access asks of other domains' tables. It only reads.
import type { Reader } from "#kernel/sql.ts";

/** What kind of source this is; null where there is none. */
export async function sourceKind(
  reader: Reader,
  id: string,
): Promise<"server" | "public" | "import" | null> {
  const [row] = await reader<{ kind: "server" | "public" | "import" }[]>`
    select kind from collect_source where id = ${id}`;
  return row?.kind ?? null;
}
