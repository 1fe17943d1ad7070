import type { z } from "zod";
import type { Columns } from "./columns.ts";
import type { Keys } from "./crypto.ts";
import type { Log } from "./log.ts";
import type { Result } from "./result.ts";
import type { PersonKey, Sql, Tx } from "./sql.ts";

/**
 * What a caller must be. "public": anyone. "person": whoever shows a valid person token, for that person alone.
 * Anything else names a permission that roles and keys hold.
 */
export type Permission = "public" | "person" | (string & {});
/** What a caller may see of what an endpoint serves: everything, one merchant's part, or the cases given to them. */
export type Scope =
  | { kind: "all" }
  | { kind: "merchants"; merchants: readonly string[] }
  | { kind: "cases"; people: readonly string[] }
  | { kind: "person"; person: PersonKey };

export type Actor = {
  /** "operator:<id>", "key:<id>", "person:<id>", "system:<what>", or "anonymous". */
  id: string;
  permissions: ReadonlySet<string>;
  scope: Scope;
  /** The source whose key this is, where events come in. */
  source?: { id: string; kind: "server" | "public" };
};

/** One endpoint as a value: the server implements it, OpenAPI prints it, SDK and console call it. */
export type Endpoint<I extends z.ZodType, O extends z.ZodType, C extends string> = {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS";
  path: string; // ":name" stands for one segment
  permission: Permission;
  /** The scopes besides "all" that this endpoint can serve; a caller of another scope is refused. */
  scopes?: readonly ("merchants" | "cases")[];
  summary: { zh: string; en: string };
  input: I; // path parameters, query and body in one object
  output: O;
  failures: readonly C[];
  /** The answer shows a secret once: it is not saved, and a replay of the key is told so. */
  secret?: true;
  /** A direct route that reads the body itself and judges each item alone; `input` is for the document only. */
  ownBody?: true;
  /** A direct route that takes bytes of any length as they come: `input` is the path and the query alone. */
  ownBytes?: true;
  /**
   * A door of another system's clients: a direct route that finds out by itself who is there, reads the body up to a
   * limit of its own, and answers in their manner. Nothing is looked up or read before it.
   */
  ownDoor?: true;
};
export const endpoint = <I extends z.ZodType, O extends z.ZodType, const C extends string>(
  e: Endpoint<I, O, C>,
) => e;

/** `offer` makes an event one that other systems can ask for: what it says, in both languages, and what it looks like. */
export type EventType<D extends z.ZodType> = { name: string; data: D; offer?: Offer };
type Offer = { zh: string; en: string; example: Record<string, unknown> };

/** What every function may need from outside. Time and chance are passed in, so that a test owns both. */
export type House = {
  sql: Sql;
  columns: Columns;
  keys: Keys;
  log: Log;
  clocks: { shop: () => Date; machine: () => Date; timeZone: string };
  newId: () => string;
  settings: Settings;
  /** Ends the rest of a task of the worker in this process, where there is one: its work has just been committed. */
  wake?: (task: string) => void;
};
/** The part of the configuration that domains may read. */
export type Settings = {
  publicUrl: string;
  currency: string;
  smtpUrl: string | null;
  mailFrom: string;
  secureCookies: boolean;
  /** Hosts, addresses and ranges that may be told things though they lie inside of our own network. */
  feedAllow: readonly string[];
};

/** What a service works with: one command in one open transaction. */
export type Context = {
  tx: Tx;
  house: House;
  actor: Actor;
  now: Date; // shop clock, the same instant for the whole command
  at: Date; // machine clock, the same
  today: string; // ISO day in the shop's time zone
  newId: () => string;
  emit: <D extends z.ZodType>(type: EventType<D>, person: PersonKey, data: z.output<D>) => void;
  /** Takes from what is shared and hot, last in the transaction and once for a whole group; refused with `code`. */
  reserve: (hot: Hot) => void;
  /** Sets a header of the answer: cookies, for the most part. Not saved with the answer. */
  header: (name: string, value: string) => void;
};
export type Hot = {
  /** Claims of one key in one group are summed. */
  key: string;
  amount: bigint;
  /** One conditional UPDATE; false where not all of `total` is left. */
  take: (tx: Tx, total: bigint) => Promise<boolean>;
  code: string;
};
/** What a read works with. It never writes. */
export type Reading = {
  house: House;
  actor: Actor;
  scope: Scope;
  now: Date;
  at: Date;
  today: string;
};
/** What a route that does not go through the write path gets: sending events, streams, sign-in. */
export type Direct = Reading & {
  request: Request;
  remote: string;
  /** The bytes of the body as they were sent, of an endpoint that reads for itself; null where they are more. */
  body: (limitBytes: number) => Promise<Buffer | null>;
  header: (name: string, value: string) => void;
};

type Any = z.ZodType;
export type Route<C extends string = string> = { endpoint: Endpoint<Any, Any, C> } & (
  | {
      kind: "command";
      run(context: Context, input: never): Promise<Result<unknown, C>>;
      /** Commands of one lane may share a transaction; in it they go in order of this person. */
      lane?: ((input: never) => { bucket: number; person: string }) | undefined;
    }
  | { kind: "query"; run(reading: Reading, input: never): Promise<Result<unknown, C>> }
  | { kind: "direct"; run(direct: Direct, input: never): Promise<Result<unknown, C> | Response> }
);

/** A command. Without NoInfer the compiler would widen C to whatever `run` returns, and an undeclared failure would pass. */
export const implement = <I extends Any, O extends Any, C extends string>(
  e: Endpoint<I, O, C>,
  run: (context: Context, input: z.output<I>) => Promise<Result<NoInfer<z.output<O>>, NoInfer<C>>>,
  lane?: (input: z.output<I>) => { bucket: number; person: string },
): Route<C> => ({ endpoint: e, kind: "command", run, lane });

/** A read: no transaction, no key, no audit line. */
export const answer = <I extends Any, O extends Any, C extends string>(
  e: Endpoint<I, O, C>,
  run: (reading: Reading, input: z.output<I>) => Promise<Result<NoInfer<z.output<O>>, NoInfer<C>>>,
): Route<C> => ({ endpoint: e, kind: "query", run });

/** A route with a path of its own through the house. It must do for itself what the write path would have done. */
export const direct = <I extends Any, O extends Any, C extends string>(
  e: Endpoint<I, O, C>,
  run: (
    direct: Direct,
    input: z.output<I>,
  ) => Promise<Result<NoInfer<z.output<O>>, NoInfer<C>> | Response>,
): Route<C> => ({ endpoint: e, kind: "direct", run });
