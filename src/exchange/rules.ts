// A shop's books come as files and go as files: who the guests are, what is sold and what is in stock, orders, what
// happened, who knows whom, and what goes on in the market. A file of ours comes in again as it went out; any other comes
// in by a mapping that says which of its columns is what.
import { identify, isRefused, readEvent, type Incoming, type Refused } from "#collect/rules.ts";
import { readInstant } from "#orders/rules.ts";
import { derivedFields, directFields } from "#privacy/rules.ts";
import {
  importedKind,
  importedRelation,
  importKinds,
  namesOther,
  toldBy,
} from "#relations/rules.ts";
import {
  carriedEvent,
  carriedFields,
  carriedOf,
  withOrigin,
  type Carried,
  type Get,
  type Trust,
} from "./model/carried.ts";
import { formats, kinds, outKinds } from "./model/kinds.ts";

export { notTold } from "#collect/rules.ts";
export { carriedCells, carriedOf, withOrigin, type Get, type Trust } from "./model/carried.ts";
export { formats, kinds, outKinds, purposes } from "./model/kinds.ts";

export type Kind = (typeof kinds)[number];
export const isKind = (text: string): text is Kind => (kinds as readonly string[]).includes(text);
export const isTrust = (text: string): text is Trust => text === "shop" || text === "page";
export type OutKind = (typeof outKinds)[number];
/** What is taken out of an interval where one is named: what happened at an instant. */
export const isTimed = (kind: OutKind): boolean => kind === "orders" || kind === "events";
export type Format = (typeof formats)[number];
/** The source of consents that were taken out of an installation, wherever they come in. */
export const consentSource = "5e1f0000-0000-8000-8000-000000000002";

/** One file holds at most so many bytes as it comes, and one of its records so many characters. */
export const fileBytesLimit = 2 * 1024 ** 3;
export const recordLimit = 1024 * 1024;
/** A spreadsheet has at most so many columns. */
export const columnsLimit = 2000;
/** A packed file is unpacked so far at most. */
export const unpackedBytesLimit = 20 * 1024 ** 3;
/** So many files that are handed in may be open at once; one that nobody touches is given up after so many days. */
export const filesLimit = 20;
export const fileIdleDays = 7;
export const fileStages = [
  "receiving",
  "received",
  "trying",
  "tried",
  "running",
  "paused",
  "done",
  "cancelled",
  "failed",
] as const;
export type FileStage = (typeof fileStages)[number];
/** How the bytes of a text may be meant. */
export const encodings = ["utf-8", "gb18030", "utf-16le"] as const;

/** So many mendings of many may be open at once, and one helping of theirs holds so many items. */
export const mendingsLimit = 10;
export const mendingHelping = 500;

/** How a file's columns become fields. What is left out is called as the field is. */
export type Mapping = {
  timeZone?: string;
  currency?: string;
  refundPrefix?: string;
  services?: string[];
  columns?: Partial<Record<string, string>>;
  /** Fields that the file does not have and that are the same in every line: {"kind": "follow"}. */
  fixed?: Record<string, string>;
  /** Columns of a spreadsheet that hold numbers, for properties of events. */
  numbers?: string[];
  /** Whose word the file is: the shop's own unless said. What is no better than a page's moves no figure and joins nobody. */
  trust?: Trust;
  /** How the file's text is written, UTF-8 unless said. */
  encoding?: (typeof encodings)[number];
  /** Cells that would be formulas are written with a leading quote, as our own files write them. */
  quoted?: boolean;
};

export const traitFields = [...directFields, ...derivedFields] as const;
/** What says which source a person or a product is of. */
const ofSource = ["sourceId", "sourceName", "origin"] as const;
export { isCurrency } from "#kernel/money.ts";
export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

const product = ["sku", "name", "category", "brand", "url", "image", "merchant"] as const;
/** The fields of each kind, in the order in which they go out. `needed` must be there in every line. */
export const fieldsOf: Record<Kind, { fields: readonly string[]; needed: readonly string[] }> = {
  people: {
    fields: [
      ...["key", "user", "anonymous", "at", ...traitFields],
      ...["times", "claimed", "identifiers", ...ofSource, "person"],
    ],
    needed: [],
  },
  products: {
    fields: [
      ...["key", ...product, "unitPrice", "currency", "stock", "goods", "at", "told"],
      ...ofSource,
    ],
    needed: ["sku"],
  },
  stock: {
    fields: ["key", "sku", "stock", "goods", "at", "told", ...ofSource],
    needed: ["sku", "stock"],
  },
  orders: {
    fields: [
      ...["key", "order", "sku", "name", "quantity", "unitPrice", "at"],
      ...["customer", "country", "category", "merchant", "currency", "kind", "goods"],
      ...carriedFields,
    ],
    needed: ["order", "sku", "quantity", "unitPrice", "at"],
  },
  events: {
    fields: ["key", "name", "user", "anonymous", "at", "data", "traits", ...carriedFields],
    needed: ["name", "at"],
  },
  relations: {
    fields: ["key", "user", "anonymous", "kind", "other", "at", "name", "data", ...carriedFields],
    needed: [],
  },
  consents: {
    fields: [
      ...[
        "key",
        "user",
        "anonymous",
        "purpose",
        "channel",
        "granted",
        "textVersion",
        "proof",
        "at",
      ],
      ...[...ofSource, "space", "identifiers", "person"],
    ],
    needed: ["purpose", "channel", "granted", "at"],
  },
  market: {
    fields: ["key", "kind", "place", "measure", "value", "unit", "at", "toldAt", ...ofSource],
    needed: ["kind", "measure", "value", "at"],
  },
};
/** Of a mapping, the columns that it names and a file does not have. */
export function missingColumns(heading: readonly string[], kind: Kind, mapping: Mapping): string[] {
  const there = new Set(heading);
  const named = Object.values(mapping.columns ?? {}).filter((name) => name !== undefined);
  const needed = mapping.columns
    ? []
    : fieldsOf[kind].needed.filter((field) => mapping.fixed?.[field] === undefined);
  return [...named, ...needed].filter((name) => !there.has(name));
}

/** Names that more than one column of a heading has. */
export const twiceNamed = (heading: readonly string[]): string[] => {
  const seen = new Set<string>();
  return [...new Set(heading.filter((name) => name !== "" && (seen.has(name) || !seen.add(name))))];
};
/** Is anything made of this column? Of two that go by its name nobody could say which is meant. */
export const isUsed = (name: string, kind: Kind, { columns }: Mapping): boolean =>
  columns
    ? Object.values(columns).includes(name)
    : name.includes(".") || fieldsOf[kind].fields.includes(name);

/** A column's name as people spell it, for a guess of the mapping. */
const spelt = (name: string): string => name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "");
const spellings: Record<string, readonly string[]> = {
  key: ["eventid", "messageid", "lineid", "流水号", "事件编号"],
  user: [
    ...["userid", "customerid", "memberid", "id", "uid", "member", "用户id", "会员id"],
    ...["会员号", "会员编号", "用户编号", "客户编号", "会员", "用户"],
  ],
  customer: [
    ...["customerid", "userid", "memberid", "buyer", "buyerid", "会员号", "会员编号"],
    ...["客户编号", "用户编号", "买家", "买家id", "客户"],
  ],
  anonymous: ["anonymousid", "deviceid", "visitorid", "访客", "设备号", "匿名id"],
  at: [
    ...["date", "time", "datetime", "timestamp", "createdat", "invoicedate", "orderdate", "paidat"],
    ...["时间", "日期", "下单时间", "付款时间", "支付时间", "创建时间", "发生时间", "注册时间"],
  ],
  order: [
    "orderid",
    "orderno",
    "ordernumber",
    "invoice",
    "invoiceno",
    "订单号",
    "订单编号",
    "单号",
  ],
  sku: [
    ...["productid", "stockcode", "code", "itemid", "productcode", "商品编号", "货号"],
    ...["商品编码", "商品id", "规格编码", "条码"],
  ],
  name: [
    ...["title", "description", "productname", "event", "eventname", "fullname"],
    ...["名称", "商品名称", "品名", "姓名", "事件", "事件名", "商品", "标题"],
  ],
  quantity: ["qty", "count", "units", "数量", "件数"],
  unitPrice: ["price", "unitprice", "单价", "价格", "售价", "成交价"],
  currency: ["币种", "货币"],
  stock: ["inventory", "onhand", "available", "库存", "库存数量", "可售库存"],
  merchant: ["shop", "store", "seller", "vendor", "商家", "店铺", "门店"],
  url: ["link", "productlink", "链接", "网址", "商品链接"],
  image: ["picture", "imageurl", "图片", "主图"],
  email: ["mail", "emailaddress", "邮箱", "电子邮箱", "邮件"],
  phone: ["mobile", "tel", "telephone", "手机", "手机号", "手机号码", "电话", "联系电话"],
  first_name: ["firstname", "givenname", "名"],
  last_name: ["lastname", "familyname", "surname", "姓"],
  address: ["street", "streetaddress", "地址", "收货地址", "详细地址"],
  gender: ["sex", "性别"],
  birth_month: ["birthmonth", "生日月", "出生月"],
  birth_day: ["birthday", "生日日", "出生日"],
  age_band: ["age", "agegroup", "年龄段", "年龄"],
  language: ["lang", "locale", "语言"],
  city: ["town", "城市", "所在城市"],
  country: ["国家", "国家地区"],
  category: ["productcategory", "类目", "分类", "品类"],
  brand: ["品牌"],
  other: [
    ...["friend", "friendid", "followee", "invitee", "otherid"],
    ...["对方", "好友", "被关注人", "被邀请人"],
  ],
  kind: ["type", "relation", "类型", "关系"],
  value: ["price", "reading", "值", "数值"],
  measure: ["competitor", "metric", "holiday", "指标", "竞品", "节日"],
  place: ["region", "location", "地区", "地点"],
  unit: ["uom", "单位"],
  purpose: ["consent", "用途", "同意内容"],
  channel: ["渠道", "通道"],
  granted: ["agreed", "optin", "subscribed", "同意", "是否同意"],
  textVersion: ["version", "版本", "文本版本"],
  proof: ["evidence", "凭证", "凭据"],
  data: ["properties", "attributes", "属性"],
};
/** Guesses which column is which field; each column is one field at most. */
export function guess(heading: readonly string[], kind: Kind): Record<string, string> {
  const left = new Map(heading.map((name) => [spelt(name), name]));
  const found: Record<string, string> = {};
  for (const by of [(field: string) => [field], (field: string) => spellings[field] ?? []])
    for (const field of fieldsOf[kind].fields) {
      if (found[field] !== undefined) continue;
      const hit = by(field).find((name) => left.has(spelt(name)));
      if (hit === undefined) continue;
      found[field] = left.get(spelt(hit))!;
      left.delete(spelt(hit));
    }
  return found;
}

export type Here = {
  key: string; // what the record is known by where it names no key of its own
  toldAt: Date; // when it is dated where it says no time: the same whenever the file is read
  now: Date; // nothing may be dated later
  timeZone: string;
  currency: string;
  trust: Trust;
  numbers?: ReadonlySet<string>;
};
const text = (value: unknown): string =>
  value === undefined || value === null
    ? ""
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value);
const objectOf = (value: unknown): Record<string, unknown> | null => {
  if (value === undefined || value === null || value === "") return {};
  let read = value;
  if (typeof value === "string")
    try {
      read = JSON.parse(value);
    } catch {
      return null;
    }
  return typeof read === "object" && read !== null && !Array.isArray(read)
    ? (read as Record<string, unknown>)
    : null;
};
const invalid = (field: string): Refused => ({ reason: "invalid", field });

/** One record of any kind but an order line, as an event of the log; or the field that cannot be read. */
export function readRecord(
  kind: Exclude<Kind, "orders" | "consents">,
  get: Get,
  names: readonly string[],
  here: Here,
): Incoming | Refused {
  for (const field of fieldsOf[kind].needed)
    if (text(get(field)) === "") return { reason: "missing" as Refused["reason"], field };
  const said = text(get("at")).trim();
  const at = said === "" ? here.toldAt : whenOf(said, here.timeZone);
  if (at === null) return invalid("at");
  const own = text(get("key"));
  // What is not vouched for takes no key from what is.
  const key = own === "" ? here.key : here.trust === "page" ? `page:${own}` : own;
  const carried = carriedOf(get, here.trust);
  if (isRefused(carried)) return carried;
  const event = (name: string, more: Partial<Parameters<typeof readEvent>[0]>) =>
    eventOf({ key, name, at, data: {}, traits: {}, ...more }, carried, here.now);
  const senders = {
    user: text(get("user")).trim() || undefined,
    anonymous: text(get("anonymous")).trim() || undefined,
  };
  switch (kind) {
    case "people": {
      const told: Record<string, unknown> = {};
      for (const field of traitFields) {
        const value = get(field);
        if (text(value) !== "")
          told[field] =
            field.startsWith("birth_") && /^\d+$/.test(text(value)) ? Number(value) : value;
      }
      for (const name of names)
        if (name.startsWith("traits.")) told[name.slice(7)] = get(name) ?? null;
      const read = event(identify, { ...senders, traits: told });
      return isRefused(read) ? { ...read, field: read.field.replace(/^traits\./, "") } : read;
    }
    case "products":
    case "stock": {
      const data: Record<string, unknown> = {};
      for (const field of [...product, "unitPrice", "currency", "stock"]) {
        const value = text(get(field)).trim();
        if (value !== "") data[field === "unitPrice" ? "price" : field] = value;
      }
      if (data["price"] !== undefined && data["currency"] === undefined)
        data["currency"] = here.currency;
      for (const field of ["price", "stock"])
        if (data[field] !== undefined) {
          const value = Number(data[field]);
          // More may be sold than there is; nothing costs less than nothing.
          if (!Number.isFinite(value) || (value < 0 && field === "price"))
            return invalid(field === "price" ? "unitPrice" : field);
          if (field === "stock" && !Number.isSafeInteger(value)) return invalid(field);
          data[field] = value;
        }
      const goods = text(get("goods")).trim();
      if (!["", "true", "false"].includes(goods)) return invalid("goods");
      if (goods !== "") data["goods"] = goods === "true";
      const word = text(get("told")).trim();
      if (!["", "catalogue", "seen"].includes(word)) return invalid("told");
      if (word === "seen") data["seen"] = true;
      return event("Product Updated", { data });
    }
    case "events": {
      const data = objectOf(get("data"));
      const told = objectOf(get("traits"));
      if (!data) return invalid("data");
      if (!told) return invalid("traits");
      for (const name of names)
        if (name.startsWith("data.")) {
          const property = name.slice(5);
          const value = get(name);
          if (value === undefined || value === "") continue;
          const numeric = here.numbers?.has(property) && Number.isFinite(Number(value));
          data[property] = numeric ? Number(value) : value;
        }
      return event(text(get("name")), { ...senders, data, traits: told });
    }
    case "relations": {
      const told = relationOf(get);
      if (isRefused(told)) return told;
      if (senders.user === undefined && senders.anonymous === undefined)
        return { reason: "missing" as Refused["reason"], field: "user" };
      return event(told.name, { ...senders, data: told.data });
    }
    case "market": {
      const of = text(get("kind")).trim();
      if (!(marketKinds as readonly string[]).includes(of)) return invalid("kind");
      const value = text(get("value")).trim();
      if (of !== "calendar" && !/^-?\d{1,12}(\.\d{1,6})?$/.test(value)) return invalid("value");
      const data: Record<string, string> = { kind: of, value };
      for (const field of ["place", "measure", "unit"] as const) {
        const said = text(get(field)).trim();
        if (said.length > 200) return { reason: "too_large", field };
        data[field] = said;
      }
      if (value.length > 200) return { reason: "too_large", field: "value" };
      // The market is nobody's: it says what will be, too. So it is dated when it was told, and carries its own instant.
      const toldOn = text(get("toldAt")).trim();
      const toldAt = toldOn === "" ? here.toldAt : whenOf(toldOn, here.timeZone);
      if (toldAt === null) return invalid("toldAt");
      return event(marketTold, { at: toldAt, data: { ...data, for: at.toISOString() } });
    }
  }
}
/** A line of a file of ours is what it was; whatever else a file says is read as if its source said it now. */
function eventOf(
  said: Parameters<typeof readEvent>[0],
  carried: Carried,
  now: Date,
): Incoming | Refused {
  if (carried.from)
    return carriedEvent({ ...said, user: said.user, anonymous: said.anonymous }, carried, now);
  const read = readEvent(said, carried.open ? "public" : "import", now);
  return isRefused(read) ? read : withOrigin(read, carried);
}
/** What a line tells of two people: in our words, or in those of the event that told it. */
function relationOf(get: Get): { name: string; data: Record<string, unknown> } | Refused {
  const of = text(get("kind")).trim();
  const other = text(get("other")).trim();
  const kind = importKinds.find((one) => one === of);
  const name = text(get("name")).trim();
  const data = objectOf(get("data"));
  if (!data) return invalid("data");
  if (name === "") {
    if (of === "") return { reason: "missing" as Refused["reason"], field: "kind" };
    if (!kind) return invalid("kind");
    if (other === "" && kind !== "share")
      return { reason: "missing" as Refused["reason"], field: "other" };
    const told = importedRelation(kind, other);
    return { name: told.name, data: { ...data, ...told.data } };
  }
  const named = Object.entries(data).filter(([property]) => namesOther(property));
  const full = named.length > 0 || other === "" ? data : { ...data, other };
  const direct = named.length > 0 ? Object.fromEntries(named) : { other };
  const told = toldBy(
    name,
    full,
    Object.fromEntries(Object.entries(direct).map(([key, value]) => [`data.${key}`, text(value)])),
  );
  if (of !== "" && (!told || importedKind(told.act) !== of)) return invalid("kind");
  if (other !== "" && told && told.other !== other) return invalid("other");
  return { name, data: full };
}
/** An instant with its offset, or a time or a day on the shop's wall; a day is its beginning there. Null where it is none. */
export const whenOf = (said: string, timeZone: string): Date | null =>
  readInstant(/^\d{4}-\d\d-\d\d$/.test(said) ? `${said} 00:00` : said, timeZone);

export const marketKinds = ["competitor_price", "weather", "calendar"] as const;
export type MarketKind = (typeof marketKinds)[number];
/** The event by which a shop's server or a file tells what goes on in the market. */
export const marketTold = "Market Told";
export type MarketRow = {
  kind: MarketKind;
  place: string;
  key: string;
  at: Date;
  value: string;
  unit: string;
};
/** What such an event says; null where it says nothing that can be kept. */
export function marketOf(data: Record<string, unknown>): MarketRow | null {
  const kind = marketKinds.find((one) => one === data["kind"]);
  const at = new Date(text(data["for"]));
  const value = text(data["value"]);
  if (!kind || Number.isNaN(at.getTime()) || value === "" || value.length > 200) return null;
  const short = (name: string) => text(data[name]).slice(0, 200);
  return { kind, place: short("place"), key: short("measure"), at, value, unit: short("unit") };
}

// ── cells ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * A cell that a spreadsheet would take for a formula gets a quote before it, and so does one that begins with such quotes
 * already: so every text comes back as it was. Source: OWASP, "CSV Injection".
 */
const live = /^'*[=+\-@\t\r\n＝＋－＠]/u;
export const harmless = (cell: string): string => (live.test(cell) ? `'${cell}` : cell);
export const asItWas = (cell: string): string =>
  cell.startsWith("'") && live.test(cell) ? cell.slice(1) : cell;
/** A row of a file of ours (RFC 4180). */
export const csvRow = (cells: readonly string[]): string =>
  `${cells.map((cell) => quoted(harmless(cell))).join(",")}\r\n`;
const quoted = (cell: string): string =>
  /[",\r\n]|^\s|\s$|^$/.test(cell) && cell !== "" ? `"${cell.replaceAll('"', '""')}"` : cell;
