// Files that go out, as they would come in again: streamed page by page, and no cell of them is a formula.
import * as collect from "#collect/service.ts";
import type { House } from "#kernel/endpoint.ts";
import * as people from "#people/service.ts";
import * as privacy from "#privacy/service.ts";
import { derivedFields, directFields } from "#privacy/rules.ts";
import type { Identifier } from "#people/rules.ts";
import { importedKind, toldBy } from "#relations/rules.ts";
import { carriedCells, csvRow, fieldsOf, type Format, type OutKind } from "./rules.ts";
import * as views from "./views.ts";

type Cells = Record<string, string | null>;
export type Asked = {
  kind: OutKind;
  format: Format;
  segment?: string | undefined;
  /** May what names a guest be in it? Otherwise it is left empty. */
  names: boolean;
};
const pageRows = 1000;

/** The file's text, piece by piece: a page of rows each. */
export async function* exportText(house: House, asked: Asked): AsyncGenerator<string> {
  const fields = columnsOf(asked.kind);
  if (asked.format === "csv") yield csvRow(fields);
  for await (const rows of pagesOf(house, asked))
    yield rows
      .map((row) =>
        asked.format === "csv"
          ? csvRow(fields.map((field) => row[field] ?? ""))
          : `${JSON.stringify(Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null && value !== "")))}\n`,
      )
      .join("");
}
const columnsOf = (kind: OutKind): readonly string[] =>
  kind === "segment" ? ["person", ...fieldsOf.people.fields] : fieldsOf[kind].fields;

async function* pagesOf(house: House, { kind, segment, names }: Asked): AsyncGenerator<Cells[]> {
  const { sql } = house;
  if (kind === "products" || kind === "stock") {
    for await (const page of paged((after: views.ProductRow | undefined) =>
      views.products(sql, after, pageRows),
    ))
      yield page.filter(({ stock }) => kind === "products" || stock !== null).map(productCells);
  } else if (kind === "people" || kind === "segment") {
    for await (const page of paged((after: views.PersonRow | undefined) =>
      views.people(sql, kind === "segment" ? (segment ?? null) : null, after, pageRows),
    ))
      yield await personCells(house, page, names);
  } else if (kind === "market") {
    for await (const page of paged((after: views.KeptRow | undefined) =>
      views.marketAfter(sql, after, pageRows),
    ))
      yield page.map(({ key, at, ...row }) => ({
        ...{ kind: row.kind, place: row.place, value: row.value, unit: row.unit },
        measure: key,
        at: at.toISOString(),
        toldAt: row.toldAt.toISOString(),
      }));
  } else
    for await (const page of paged((after: views.LogRow | undefined) =>
      views.log(sql, kind, after, pageRows),
    ))
      yield await logCells(house, page, kind, names);
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

/** Ten-thousandths as a decimal. */
const price = (unitPrice: bigint): string => {
  const digits = String(unitPrice < 0n ? -unitPrice : unitPrice).padStart(5, "0");
  return `${unitPrice < 0n ? "-" : ""}${digits.slice(0, -4)}.${digits.slice(-4)}`;
};
const productCells = (row: views.ProductRow): Cells => ({
  sku: row.sku,
  name: row.name,
  category: row.category,
  brand: row.brand,
  url: row.url,
  image: row.image,
  merchant: row.merchantId,
  unitPrice: price(row.unitPrice),
  currency: row.currency,
  stock: row.stock === null ? null : String(row.stock),
  at: row.seenAt.toISOString(),
});

async function personCells(
  house: House,
  page: readonly views.PersonRow[],
  names: boolean,
): Promise<Cells[]> {
  const keys = page.map(({ bucket, personId }) => ({ bucket, personId }));
  const direct = new Map<string, Map<string, string>>();
  if (names) {
    direct.set("user", await people.identifiers(house, house.sql, keys, "user_id"));
    direct.set("anonymous", await people.identifiers(house, house.sql, keys, "anonymous_id"));
    for (const field of directFields)
      direct.set(field, await people.fields(house, house.sql, keys, field));
  }
  return page.map(({ personId, seenAt, attributes }) => {
    const cells: Cells = { person: personId, at: seenAt.toISOString() };
    for (const field of derivedFields) {
      const value = attributes[field]?.v;
      if (value !== undefined && value !== null) cells[field] = String(value);
    }
    for (const [field, values] of direct) cells[field] = values.get(personId) ?? null;
    return cells;
  });
}

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
const lineFields = [
  ...["order", "sku", "name", "quantity", "country", "category", "merchant"],
  ...["currency", "kind", "goods"],
];
