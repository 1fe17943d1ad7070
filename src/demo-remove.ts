// Takes a demo away: everything that it brought, in both engines. Operators, keys and the audit stay.
import { connect } from "#kernel/sql.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import { dropInstallation, readInstallation, writeInstallation } from "#kernel/installation.ts";
import type { Opened } from "./program.ts";

/** What is not a shop's data: who may come in, what was done, what was set, and what the program itself keeps. */
const stays =
  /^(access_.*|audit.*|migration|lease|worker_bucket|shop_clock|installation|idempotency|collect_offset|collect_consumer|collect_cut|privacy_erasure|privacy_tombstone|messages_template|messages_settings|segments_state|traits_state|traits_learned|people_rules|companies_role|feeds_feed)$/;

/** Says how many rows went. Only where nothing but the demo has ever come in: other data is nobody's to clear. */
export async function removeDemo({
  house,
  ownerUrl,
  clock,
}: Pick<Opened, "house" | "ownerUrl" | "clock">): Promise<
  Result<number, "demo.none" | "demo.mixed">
> {
  if (!(await readInstallation(house.sql, "demo"))) return fail("demo.none");
  const [others] = await house.sql<{ some: boolean }[]>`
    select exists (
      select from collect_event e join collect_source s on s.id = e.source_id where not s.demo
    ) as some`;
  if (others!.some || !ownerUrl) return fail("demo.mixed");

  const owner = connect(ownerUrl, { max: 1, statementTimeoutMs: 0 });
  try {
    const tables = await owner<{ name: string }[]>`
      select c.relname as name from pg_class c
      where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace order by 1`;
    const going = tables.map(({ name }) => name).filter((name) => !stays.test(name));
    let rows = 0;
    for (const name of going) {
      const [count] = await owner<{ rows: number }[]>`
        select count(*)::int as rows from ${owner(name)}`;
      rows += count!.rows;
    }
    // The columns first: a crash in between leaves the marker, and the same command goes on.
    for (const table of ["event", "person_node", "person", "company"])
      await house.columns.run(`truncate table if exists ${table}`);
    await owner.begin(async (tx) => {
      await tx`truncate table ${tx(going)}`;
      await tx`update collect_offset set next = 1`;
      await tx`update collect_consumer set next = 1`;
      await tx`update collect_cut set next = 1`;
      // What was in the feed is gone, and a reader of it is told so.
      await tx`update feeds_feed set oldest = next`;
      // How the demo's guests buy says nothing of others.
      await tx`update traits_learned set definition = '{}' where name = 'behaviour'`;
      for (const name of ["demo", "demo_campaign", "time_zone", "currency"])
        await dropInstallation(tx, name);
      await writeInstallation(tx, "demo_removed", true);
    });
    await clock.toReal();
    return ok(rows);
  } finally {
    await owner.end();
  }
}
