// Files that go out, as they would come in again: streamed page by page, and no cell of them is a formula.
import * as collect from "#collect/service.ts";
import type { House } from "#kernel/endpoint.ts";
import * as people from "#people/service.ts";
import * as privacy from "#privacy/service.ts";
import { derivedFields } from "#privacy/rules.ts";
import { eachPerson, type PersonKey } from "#kernel/sql.ts";
import type { Identifier } from "#people/rules.ts";
import { importedKind, toldBy } from "#relations/rules.ts";
import {
  carriedCells,
  consentSource,
  csvRow,
  fieldsOf,
  type Format,
  type OutKind,
} from "./rules.ts";
import * as views from "./views.ts";

type Cells = Record<string, string | null>;
export type Asked = {
  kind: OutKind;
  format: Format;
  segment?: string | undefined;
  /** A list that was kept of the segment. */
  snapshot?: string | undefined;
  /** Of orders and events: only what happened then or later, and before `until`. */
  from?: Date | undefined;
  until?: Date | undefined;
  /** May what names a guest be in it? Otherwise it is left empty. */
  names: boolean;
};
const pageRows = 500;

/** The file's text, piece by piece: a page of rows each. */
export async function* exportText(house: House, asked: Asked): AsyncGenerator<string> {
  const fields = columnsOf(asked.kind);
  if (asked.format === "csv") yield csvRow(fields);
  const text =
    asked.format === "csv"
      ? (row: Cells) => csvRow(fields.map((field) => row[field] ?? ""))
      : (row: Cells) => `${JSON.stringify(only(row, fields))}\n`;
  for await (const rows of pagesOf(house, asked)) yield rows.map(text).join("");
}
const only = (row: Cells, fields: readonly string[]): Cells => {
  const said: Cells = {};
  for (const field of fields) if (row[field]) said[field] = row[field];
  return said;
};
const columnsOf = (kind: OutKind): readonly string[] =>
  fieldsOf[kind === "segment" ? "people" : kind].fields;

async function* pagesOf(
  house: House,
  { kind, segment, snapshot, names, from, until }: Asked,
): AsyncGenerator<Cells[]> {
  const { sql } = house;
  if (kind === "products" || kind === "stock") {
    for await (const page of paged((after: views.ProductRow | undefined) =>
      views.products(sql, after, pageRows),
    ))
      yield page.flatMap(kind === "products" ? productCells : stockCells);
  } else if (kind === "people" || kind === "segment") {
    for await (const page of paged((after: views.PersonRow | undefined) =>
      views.people(
        sql,
        kind === "segment" ? { segment: segment!, snapshot: snapshot ?? null } : null,
        after,
        pageRows,
      ),
    ))
      yield await personCells(house, page, names);
  } else if (kind === "consents") {
    for await (const page of paged((after: views.ConsentRow | undefined) =>
      views.consents(sql, after, pageRows),
    ))
      yield await consentCells(house, page, names);
  } else if (kind === "market") {
    for await (const page of paged((after: views.ToldRow | undefined) =>
      views.marketAfter(sql, after, pageRows),
    ))
      yield page.map(({ key, at, ...row }) => ({
        ...{ key: row.eventId, kind: row.kind, place: row.place, value: row.value, unit: row.unit },
        ...{ measure: key, at: at.toISOString(), toldAt: row.toldAt.toISOString() },
        ...sourceCells(row.sourceId, row.sourceName, row.sourceKind),
      }));
  } else
    for await (const page of sifted<views.LogRow, views.Came>((after, rows) =>
      views.log(sql, kind, { from, until }, after, rows),
    ))
      yield await logCells(house, page, kind, names);
  if (kind === "relations")
    for await (const page of sifted<views.FactRow, views.FactCame>((after, rows) =>
      views.ownFacts(sql, after, rows),
    ))
      yield await factCells(house, page, names);
}
async function* paged<T>(read: (after: T | undefined) => Promise<readonly T[]>) {
  let after: T | undefined;
  for (;;) {
    const page = await read(after);
    if (page.length > 0) yield page;
    if (page.length < pageRows) return;
    after = page.at(-1);
  }
}

/** Rows that fit, where most may not: where few do, more are looked at the next time, and never so many that one look takes long. */
async function* sifted<T extends { id: string }, Came>(
  read: (
    after: Came | undefined,
    rows: number,
  ) => Promise<readonly ((T & Came) | (Came & { id: null }))[]>,
) {
  let after: Came | undefined;
  for (let rows = pageRows; ;) {
    const seen = await read(after, rows);
    if (seen.length === 0) return;
    after = seen[0]!;
    const page = seen.filter((row): row is T & Came => row.id !== null);
    if (page.length > 0) yield page;
    rows = page.length > pageRows ? pageRows : page.length < rows / 8 ? looked(rows) : rows;
  }
}
const looked = (rows: number): number => Math.min(rows * 2, 16 * pageRows);

/** Ten-thousandths as a decimal. */
const price = (unitPrice: bigint): string => {
  const digits = String(unitPrice < 0n ? -unitPrice : unitPrice).padStart(5, "0");
  return `${unitPrice < 0n ? "-" : ""}${digits.slice(0, -4)}.${digits.slice(-4)}`;
};
const productFields = [
  ...["name", "category", "brand", "url", "image", "merchant", "unitPrice", "stock"],
] as const;
/** A row for each instant at which something of the product was told that still holds; the rank stays what it was. */
function productCells(row: views.ProductRow): Cells[] {
  const values: Cells = {
    ...{ name: row.name, category: row.category, brand: row.brand, url: row.url, image: row.image },
    merchant: row.merchantId,
    unitPrice: price(row.unitPrice),
    stock: row.stock === null ? null : String(row.stock),
  };
  const goods = row.keys["goods"] ?? "";
  const placed = productFields.map((field) => [field, row.keys[field] ?? ""] as const);
  const told = placed.filter(([field, key]) => key !== "" && (values[field] ?? "") !== "");
  const rows = Map.groupBy(told, ([, key]) => wordOf(key));
  if (goods !== "" && !rows.has(wordOf(goods))) rows.set(wordOf(goods), []);
  return [...rows]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([word, own]) => ({
      ...Object.fromEntries(own.map(([field]) => [field, values[field]!])),
      ...(own.some(([field]) => field === "unitPrice") ? { currency: row.currency } : {}),
      ...{ sku: row.sku, goods: String(row.goods), told: word.slice(25), at: word.slice(0, 24) },
      ...sourceCells(row.sourceId, row.sourceName, row.sourceKind),
    }));
}
/** "2 2026-01-02 03:04:05.678901 0189…" is what the catalogue told at that instant. */
const wordOf = (key: string): string =>
  `${key.slice(2, 12)}T${key.slice(13, 25)}Z ${key.startsWith("2") ? "catalogue" : "seen"}`;
const stockCells = (row: views.ProductRow): Cells[] =>
  productCells(row).filter(({ stock }) => stock !== undefined);
const sourceCells = (
  id: string,
  name: string | null,
  kind: "server" | "public" | "import" | null,
): Cells =>
  name === null || kind === null ? {} : { sourceId: id, sourceName: name, origin: kind };

/** A row a person: what they are known by, what is known, since when, and what of it only a page said. */
async function personCells(
  house: House,
  page: readonly views.PersonRow[],
  names: boolean,
): Promise<Cells[]> {
  const all = page.map(({ bucket, personId }) => ({ bucket, personId }));
  const knownOf = await knownBy(house, all, names);
  const direct = names ? await people.everyField(house, house.sql, all) : [];
  const fieldsOfPerson = Map.groupBy(direct, ({ personId }) => personId);
  return page.map(({ personId, seenAt, attributes }): Cells => {
    const cells: Cells = { person: personId, at: seenAt.toISOString() };
    const times: Record<string, string> = {};
    const claimed: string[] = [];
    for (const field of derivedFields) {
      const attribute = attributes[field];
      if (attribute === undefined || attribute.v === undefined || attribute.v === null) continue;
      cells[field] = String(attribute.v);
      times[field] = new Date(attribute.at).toISOString();
      if (attribute.c < 1) claimed.push(field);
    }
    for (const { field, value, at } of fieldsOfPerson.get(personId) ?? []) {
      cells[field] = value;
      times[field] = at.toISOString();
    }
    const known = knownOf(personId, seenAt);
    const [main] = known;
    const said = (value: object) => (Object.keys(value).length > 0 ? JSON.stringify(value) : null);
    return {
      ...cells,
      user: known.find(({ type }) => type === "user_id")?.value ?? null,
      anonymous: known.find(({ type }) => type === "anonymous_id")?.value ?? null,
      ...(main?.sourceId
        ? { sourceId: main.sourceId, sourceName: main.sourceName!, origin: main.origin! }
        : {}),
      ...{
        times: said(times),
        claimed: claimed.join(" "),
        identifiers: said(known.map((one) => ({ ...one, space: undefined }))),
      },
    };
  });
}
/** What these people are known by, the main one first; where none may be named, nothing. */
async function knownBy(house: House, all: readonly PersonKey[], names: boolean) {
  const ids = names ? await views.identifiers(house.sql, all) : [];
  const keys = await privacy.nodeKeys(house, house.sql, ids);
  const idsOf = Map.groupBy(ids, ({ personId }) => personId);
  return (personId: string, seenAt: Date): KnownBy[] =>
    (idsOf.get(personId) ?? []).flatMap((node): KnownBy[] => {
      const key = keys.get(node.nodeId);
      if (!key) return [];
      const value = privacy.openSealed(key, "people_node|sealed", node.nodeId, node.sealed);
      const { type, space, seenAt: seen, joinedAt, sourceName, sourceKind } = node;
      return [
        {
          ...{ type, value, space, at: (seen ?? seenAt).toISOString() },
          ...(joinedAt ? { joined: joinedAt.toISOString() } : {}),
          ...(sourceName !== null && sourceKind !== null
            ? { sourceId: space, sourceName, origin: sourceKind }
            : {}),
        },
      ];
    });
}
/** A row a word on consent, in the numbering of whatever its person is first known by. */
async function consentCells(
  house: House,
  page: readonly views.ConsentRow[],
  names: boolean,
): Promise<Cells[]> {
  const knownOf = await knownBy(house, eachPerson(page), names);
  return page.map(({ personId, seq, purpose, channel, granted, textVersion, proof, at }): Cells => {
    const [main] = knownOf(personId, at);
    const is = (type: string) => (main?.type === type ? main.value : null);
    return {
      ...{ key: `${personId}:${seq}`, user: is("user_id"), anonymous: is("anonymous_id") },
      ...{ purpose, channel, granted: String(granted), textVersion, proof, at: at.toISOString() },
      ...{ sourceId: consentSource, sourceName: "consents", origin: "import" },
      ...{ space: main?.space ?? null, person: personId },
      identifiers: main
        ? JSON.stringify([{ type: main.type, value: main.value, at: main.at }])
        : null,
    };
  });
}
type KnownBy = { type: string; value: string; at: string; joined?: string; space: string } & {
  sourceId?: string;
  sourceName?: string;
  origin?: string;
};

/** A page of the log opened: who each event is of, what is sealed with it, and what it joins. */
async function openPage(house: House, page: readonly views.LogRow[], names: boolean) {
  const linked = page.flatMap(({ linkBuckets, linkIds }) =>
    (linkIds ?? []).map((nodeId, i) => ({ bucket: linkBuckets![i]!, nodeId })),
  );
  const senders = page.flatMap(({ bucket, nodeId }) =>
    nodeId === null ? [] : [{ bucket, nodeId }],
  );
  const keys = names
    ? await privacy.nodeKeys(house, house.sql, [...senders, ...linked])
    : new Map<string, Buffer>();
  const others = new Map(
    (names && linked.length > 0 ? await views.nodes(house.sql, linked) : []).map((node) => [
      node.nodeId,
      node,
    ]),
  );
  const valueOf = (nodeId: string, sealed: Buffer | null): string | null => {
    const key = keys.get(nodeId);
    return key && sealed ? privacy.openSealed(key, "people_node|sealed", nodeId, sealed) : null;
  };
  return page.map((row) => {
    const key = row.nodeId === null ? undefined : keys.get(row.nodeId);
    const links = (row.linkIds ?? []).flatMap((nodeId): Identifier[] => {
      const node = others.get(nodeId);
      const value = node ? valueOf(nodeId, node.sealed) : null;
      return value === null ? [] : [{ type: node!.type as Identifier["type"], value }];
    });
    return {
      row,
      links,
      who: row.nodeId === null ? null : valueOf(row.nodeId, row.nodeSealed),
      direct: key && row.sealed ? collect.openDirect(key, row.nodeId!, row.sealed) : {},
    };
  });
}
/** What was sealed as the text of a list or an object is one again. */
const asSaid = (value: string): unknown => {
  if (!/^[[{]/.test(value)) return value;
  try {
    const read: unknown = JSON.parse(value);
    return JSON.stringify(read) === value ? read : value;
  } catch {
    return value;
  }
};

async function logCells(
  house: House,
  page: readonly views.LogRow[],
  kind: "orders" | "relations" | "events",
  names: boolean,
): Promise<Cells[]> {
  return (await openPage(house, page, names)).flatMap(({ row, links, who, direct }): Cells[] => {
    const { $traits, $context, ...said } = row.data;
    const data: Record<string, unknown> = {};
    const traits: Record<string, unknown> = { ...($traits as object | undefined) };
    const beside: Record<string, unknown> = $context === undefined ? {} : { context: $context };
    for (const [name, value] of Object.entries(said)) if (!name.startsWith("$")) data[name] = value;
    for (const [place, value] of Object.entries(direct))
      if (place.startsWith("data.")) data[place.slice(5)] = asSaid(value);
      else if (place.startsWith("traits.")) traits[place.slice(7)] = asSaid(value);
      else beside[place] = value;
    const cells: Cells = {
      ...{ key: row.id, at: row.at.toISOString() },
      ...carriedCells(row, links, beside),
    };
    const told = (value: object) => (Object.keys(value).length > 0 ? JSON.stringify(value) : null);
    if (kind === "orders") {
      for (const field of lineFields)
        if (said[field] !== undefined) cells[field] = String(said[field]);
      return [{ ...cells, unitPrice: price(BigInt(Number(said["unitPrice"]))), customer: who }];
    }
    if (kind === "relations") {
      const act = toldBy(row.name, row.data, direct);
      // Whoever took back that we keep their relations is in no file of them either.
      if (act && !row.kept) return [];
      return [
        {
          ...{ ...cells, name: row.name, data: told(data) },
          ...(row.nodeType === "user_id" ? { user: who } : { anonymous: who }),
          kind: act && importedKind(act.act),
          other: act?.other ?? null,
        },
      ];
    }
    const user = row.nodeType === "user_id" ? who : null;
    const anonymous = row.nodeType === "user_id" ? null : who;
    return [{ ...cells, name: row.name, user, anonymous, data: told(data), traits: told(traits) }];
  });
}
/** What people said of each other here, as lines of their shop. */
async function factCells(
  house: House,
  page: readonly views.FactRow[],
  names: boolean,
): Promise<Cells[]> {
  const places = page.flatMap(({ bucket, nodeId, otherBucket, otherNodeId }) => [
    { bucket, nodeId },
    { bucket: otherBucket, nodeId: otherNodeId },
  ]);
  const nodes = names ? await views.nodes(house.sql, places) : [];
  const keys = await privacy.nodeKeys(house, house.sql, nodes);
  const valueOf = new Map(
    nodes.flatMap(({ nodeId, sealed }) => {
      const key = keys.get(nodeId);
      return key
        ? [[nodeId, privacy.openSealed(key, "people_node|sealed", nodeId, sealed)] as const]
        : [];
    }),
  );
  return page.map((row): Cells => ({
    ...{ key: row.id, kind: importedKind(row.act), at: row.at.toISOString() },
    ...{ user: valueOf.get(row.nodeId) ?? null, other: valueOf.get(row.otherNodeId) ?? null },
    data: row.item === null ? null : JSON.stringify({ sku: row.item }),
    ...sourceCells(row.space, row.sourceName, row.sourceKind),
  }));
}
const lineFields = [
  ...["order", "sku", "name", "quantity", "country", "category", "merchant"],
  ...["currency", "kind", "goods"],
];
