import { expect, test } from "vitest";
import { world } from "../../test/database.ts";
import { nodesFor } from "./service.ts";
import { nodesByBlind } from "./store.ts";
import { byteList } from "#kernel/sql.ts";

test("x", async () => {
  await using shop = await world();
  const got = await shop.sql.begin((tx) => nodesFor(shop.house, tx, "01890000-0000-7000-8000-000000000001", [{type:"user_id", value:"17850", at: new Date(0)}]));
  const [b] = await shop.sql<{blind: Buffer}[]>`select blind from people_identifier`;
  console.log(await nodesByBlind(shop.sql, [b!.blind]), await shop.sql`select ${byteList([b!.blind])}::bytea[] as x, ${byteList([b!.blind])}::text[] as y`);
  expect(1).toBe(1);
});
