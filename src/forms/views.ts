// Reads of forms for the console. They never write.
import type { Reader } from "#kernel/sql.ts";
import type { Definition } from "./rules.ts";

export const list = (reader: Reader) => reader<
  {
    id: string;
    slug: string;
    state: "draft" | "live" | "closed";
    version: number;
    title: Definition["title"];
    submissions: number;
    people: number;
    lastAt: Date | null;
  }[]
>`
  select f.id, f.slug, f.state, f.version, v.definition->'title' as title, coalesce(s.n, 0)::int as submissions,
    coalesce(s.people, 0)::int as people, s.last_at
  from forms_form f
  join forms_version v on v.form_id = f.id and v.version = f.version
  left join (
    select form_id, count(*) as n, count(distinct (bucket, node_id)) as people, max(at) as last_at
    from forms_submission group by form_id) s on s.form_id = f.id
  order by f.created_at desc, f.slug limit 500`;
/** How often each question was shown with what was sent, and how often it was answered. */
export const rates = (reader: Reader, form: string) => reader<
  { name: string; asked: number; filled: number }[]
>`
  select name, count(*)::int as asked, count(*) filter (where answered)::int as filled from (
    select unnest(asked) as name, s.filled, s.id from forms_submission s where s.form_id = ${form}) a
  cross join lateral (select a.name = any(a.filled) as answered) x
  group by name order by name`;
export async function submissions(reader: Reader, form: string): Promise<number> {
  const [row] = await reader<{ n: number }[]>`
    select count(*)::int as n from forms_submission where form_id = ${form}`;
  return row!.n;
}
