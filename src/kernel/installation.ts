// What this installation is, set once and kept with its data: time zone, currency, whether its data is a demo.
import type { Reader } from "./sql.ts";

export async function readInstallation<T>(reader: Reader, name: string): Promise<T | null> {
  const [row] = await reader<{ value: T }[]>`select value from installation where name = ${name}`;
  return row ? row.value : null;
}
export const writeInstallation = (reader: Reader, name: string, value: unknown) => reader`
  insert into installation (name, value) values (${name}, ${reader.json(value as never)})
  on conflict (name) do update set value = excluded.value`;
export const dropInstallation = (reader: Reader, name: string) =>
  reader`delete from installation where name = ${name}`;
/** Where two processes write at once, the first one's value stays. */
export const writeInstallationOnce = (reader: Reader, name: string, value: unknown) => reader`
  insert into installation (name, value) values (${name}, ${reader.json(value as never)})
  on conflict (name) do nothing`;
